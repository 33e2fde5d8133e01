package storetest_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/store"
)

// defect is one thing that a store does wrong, and the case that has to find
// it.
type defect struct {
	name  string
	found string
	spoil func(*broken)
}

func defects() []defect {
	return slices.Concat(readingDefects(), writingDefects(), versionDefects(), keyDefects(), inputDefects(), concurrencyDefects())
}

func readingDefects() []defect {
	const back = "a document comes back as it was written"
	shows := func(name, found string, change func(document) document) defect {
		return defect{name, found, func(b *broken) { b.show(change) }}
	}
	return []defect{
		shows("the owner is lost", back, func(d document) document { d.Owner = ""; return d }),
		shows("numbers go through a float", back, func(d document) document {
			var value any
			if json.Unmarshal(d.Data, &value) == nil {
				d.Data, _ = json.Marshal(value)
			}
			return d
		}),
		shows("control characters are dropped", back, func(d document) document {
			d.Data = bytes.ReplaceAll(d.Data, []byte(`\u0000`), nil)
			return d
		}),
		shows("the version is not shown", back, func(d document) document { d.Version = ""; return d }),
		{"what is not there is empty", "what was never written is not found", func(b *broken) {
			b.get = func(c ctx, key string) (document, error) {
				d, err := b.good.Get(c, key)
				if errors.Is(err, hosting.NotFound) {
					return document{Key: key, Data: json.RawMessage(`null`)}, nil
				}
				return d, err
			}
		}},
		{"errors are strings", "what was never written is not found", func(b *broken) {
			b.fail = func(err error) error { return errors.New(err.Error()) }
		}},
		{"errors have no code", "what was never written is not found", func(b *broken) {
			b.fail = func(err error) error { return hosting.Errorf("", "", hosting.ReasonOf(err), "%w", err) }
		}},
		{"errors do not name the key", "what was never written is not found", func(b *broken) {
			b.fail = func(err error) error {
				return hosting.Errorf("", hosting.CodeOf(err), hosting.ReasonOf(err), "no")
			}
		}},
		{"it turns durable", "a store is durable or not, and stays so", func(b *broken) {
			var calls atomic.Int32
			b.durable = func() bool { return calls.Add(1) > 1 }
		}},
		{"what is returned is shared", "what is given and returned is copied", func(b *broken) {
			b.show(func(d document) document {
				if old := b.note(d.Key+d.Version, d); old.Version != "" {
					b.note(d.Key+d.Version, old)
					return old
				}
				return d
			})
		}},
		{"what is given is shared", "what is given and returned is copied", func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				written, err := b.good.Put(c, d)
				b.note(written.Key+written.Version, d)
				return written, err
			}
			b.show(func(d document) document {
				given := b.note(d.Key+d.Version, document{})
				b.note(d.Key+d.Version, given)
				d.Data = given.Data
				return d
			})
		}},
	}
}

func writingDefects() []defect {
	return []defect{
		{"a creation replaces", "a document that exists is not created again", func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				if old, err := b.good.Get(c, d.Key); err == nil && d.Version == "" && d.Validate() == nil {
					d.Version = old.Version
				}
				return b.good.Put(c, d)
			}
		}},
		{"creating the same again succeeds", "a document that exists is not created again", func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				if old, err := b.good.Get(c, d.Key); err == nil && d.Version == "" && bytes.Equal(old.Data, d.Data) {
					return old, nil
				}
				return b.good.Put(c, d)
			}
		}},
		{"an update is merged", "an update replaces all of a document", func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				old, err := b.good.Get(c, d.Key)
				if err == nil {
					d.Owner = cmp.Or(d.Owner, old.Owner)
				}
				return b.good.Put(c, d)
			}
		}},
		{"an update of what is gone creates it", "what was never written is not found", func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				written, err := b.good.Put(c, d)
				if errors.Is(err, hosting.NotFound) {
					d.Version = ""
					return b.good.Put(c, d)
				}
				return written, err
			}
		}},
		{"deleting what is gone succeeds", "a deleted document is gone and can be created again", func(b *broken) {
			b.delete = func(c ctx, key, version string) error {
				if err := b.good.Delete(c, key, version); !errors.Is(err, hosting.NotFound) {
					return err
				}
				return nil
			}
		}},
		{"deletions do nothing", "a deleted document is gone and can be created again", func(b *broken) {
			b.delete = func(c ctx, key, version string) error {
				_, err := b.good.Get(c, key)
				return err
			}
		}},
		{"a name is used once", "a deleted document is gone and can be created again", func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				written, err := b.good.Put(c, d)
				if err == nil && d.Version == "" && b.note("used "+d.Key, d).Key != "" {
					_ = b.good.Delete(c, d.Key, "")
					return document{}, hosting.Errorf("", hosting.UpdateFailed, hosting.AlreadyExists, "%s", d.Key)
				}
				return written, err
			}
		}},
	}
}

func inputDefects() []defect {
	const keys, documents, size, contexts = "a key or kind that is not allowed is refused",
		"a document that is not allowed is refused and changes nothing", "the largest document is kept and a larger one is refused",
		"a context that has ended changes nothing"
	puts := func(name, found string, change func(d document) document) defect {
		return defect{name, found, func(b *broken) {
			b.put = func(c ctx, d document) (document, error) { return b.good.Put(c, change(d)) }
		}}
	}
	return []defect{
		puts("keys are trimmed", keys, func(d document) document { d.Key = strings.TrimSpace(d.Key); return d }),
		{"a bad key is not found", keys, func(b *broken) {
			b.get = func(c ctx, key string) (document, error) {
				if store.ValidateKey(key) != nil {
					return document{}, hosting.Errorf("", hosting.GetFailed, hosting.NotFound, "%.80q", key)
				}
				return b.good.Get(c, key)
			}
		}},
		{"a bad kind is an empty list", keys, func(b *broken) {
			b.list = func(c ctx, kind string) ([]document, error) {
				if store.ValidateKind(kind) != nil {
					return nil, nil
				}
				return b.good.List(c, kind)
			}
		}},
		{"deleting a bad key is not found", keys, func(b *broken) {
			b.delete = func(c ctx, key, version string) error {
				if store.ValidateKey(key) != nil {
					return hosting.Errorf("", hosting.DeleteFailed, hosting.NotFound, "%.80q", key)
				}
				return b.good.Delete(c, key, version)
			}
		}},
		puts("no data is null", documents, func(d document) document {
			if len(d.Data) == 0 {
				d.Data = json.RawMessage(`null`)
			}
			return d
		}),
		puts("what is not UTF-8 is replaced", documents, func(d document) document {
			d.Data = bytes.ToValidUTF8(d.Data, []byte("?"))
			return d
		}),
		puts("a bad owner is none", documents, func(d document) document {
			if _, err := hosting.ParseID(d.Owner); err != nil {
				d.Owner = ""
			}
			return d
		}),
		puts("what is too large is cut", size, func(d document) document {
			if len(d.Data) > store.MaxSize {
				d.Data = append(d.Data[:store.MaxSize-1:store.MaxSize-1], '"')
			}
			return d
		}),
		{"the largest is refused", size, func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				if len(d.Data) >= store.MaxSize {
					return document{}, hosting.Errorf("", hosting.UpdateFailed, hosting.InvalidArgument, "at most %d", store.MaxSize)
				}
				return b.good.Put(c, d)
			}
		}},
		{"reads ignore the context", contexts, func(b *broken) {
			b.get = func(_ ctx, key string) (document, error) { return b.good.Get(context.Background(), key) }
		}},
		{"lists ignore the context", contexts, func(b *broken) {
			b.list = func(_ ctx, kind string) ([]document, error) { return b.good.List(context.Background(), kind) }
		}},
		{"writes ignore the context", contexts, func(b *broken) {
			b.put = func(_ ctx, d document) (document, error) { return b.good.Put(context.Background(), d) }
		}},
		{"deletions ignore the context", contexts, func(b *broken) {
			b.delete = func(_ ctx, key, version string) error { return b.good.Delete(context.Background(), key, version) }
		}},
		{"a write reports the end of the context and is made", contexts, func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				written, err := b.good.Put(context.WithoutCancel(c), d)
				if c.Err() != nil {
					return document{}, hosting.Errorf("", hosting.UpdateFailed, hosting.ReasonOf(c.Err()), "%s: %w", d.Key, c.Err())
				}
				return written, err
			}
		}},
	}
}

func concurrencyDefects() []defect {
	const lost, wins, whole = "concurrent writers lose no update", "one of several concurrent writes wins and the others say why",
		"a reader sees whole writes only, and none goes back"
	return []defect{
		{"the version is looked at before the write", lost, func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				have, err := b.good.Get(c, d.Key)
				if err != nil || have.Version != d.Version || d.Validate() != nil {
					return b.good.Put(c, d)
				}
				time.Sleep(time.Millisecond)
				_ = b.good.Delete(c, d.Key, "")
				d.Version = ""
				return b.good.Put(c, d)
			}
		}},
		{"who comes second succeeds too", wins, func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				written, err := b.good.Put(c, d)
				if errors.Is(err, hosting.AlreadyExists) && b.note("second "+d.Key, d).Key == "" {
					have, _ := b.good.Get(c, d.Key)
					d.Version = have.Version
					return b.good.Put(c, d)
				}
				return written, err
			}
		}},
		{"several deletions succeed", wins, func(b *broken) {
			b.delete = func(c ctx, key, version string) error {
				err := b.good.Delete(c, key, version)
				if err == nil {
					b.note("deleted "+key+version, document{Key: key})
				}
				if errors.Is(err, hosting.NotFound) && b.note("deleted "+key+version, document{}).Key != "" {
					return nil
				}
				return err
			}
		}},
		{"a write is made in two steps", whole, func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				half := d.Clone()
				half.Data = bytes.Replace(half.Data, []byte(`"words"`), []byte(`"parts"`), 1)
				first, err := b.good.Put(c, half)
				if err != nil || bytes.Equal(half.Data, d.Data) {
					return first, err
				}
				time.Sleep(time.Millisecond)
				d.Version = first.Version
				return b.good.Put(c, d)
			}
		}},
		{"a reader sees an older write", whole, func(b *broken) {
			var reads atomic.Int32
			b.get = func(c ctx, key string) (document, error) {
				d, err := b.good.Get(c, key)
				if err != nil || !strings.Contains(string(d.Data), `"words"`) {
					return d, err
				}
				if first := b.note("read "+key, d); first.Key != "" {
					b.note("read "+key, first)
					if reads.Add(1)%5 == 0 {
						return first, nil
					}
				}
				return d, nil
			}
		}},
		{"a document that is written is gone for a moment", whole, func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				if have, err := b.good.Get(c, d.Key); err == nil && have.Version == d.Version && d.Validate() == nil && c.Err() == nil {
					_ = b.good.Delete(c, d.Key, "")
					time.Sleep(time.Millisecond)
					d.Version = ""
				}
				return b.good.Put(c, d)
			}
		}},
	}
}
