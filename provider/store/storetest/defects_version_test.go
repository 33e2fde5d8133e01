package storetest_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/store"
)

func versionDefects() []defect {
	const (
		newVersion = "every write has a new version, also one of the same data"
		old        = "a write with an old version conflicts and changes nothing"
		foreign    = "a version that the document never had conflicts"
		again      = "the version of a deleted document does not come back"
	)
	// renumbered shows the versions that number makes of the real ones.
	renumbered := func(b *broken, number func(d document) string) {
		real := map[string]string{} // by key and shown version
		b.put = func(c ctx, d document) (document, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if version, ok := real[d.Key+" "+d.Version]; ok && d.Version != "" {
				d.Version = version
			} else if d.Version != "" {
				d.Version = "none"
			}
			written, err := b.good.Put(c, d)
			if err == nil {
				real[d.Key+" "+number(written)] = written.Version
				written.Version = number(written)
			}
			return written, err
		}
		b.show(func(d document) document {
			b.mu.Lock()
			defer b.mu.Unlock()
			d.Version = number(d)
			return d
		})
		b.delete = func(c ctx, key, version string) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			if version != "" {
				version = cmp.Or(real[key+" "+version], "none")
			}
			return b.good.Delete(c, key, version)
		}
	}
	return []defect{
		{"versions are hashes of the data", newVersion, func(b *broken) {
			renumbered(b, func(d document) string { return fmt.Sprintf("%x", d.Data)[:min(60, 2*len(d.Data))] })
		}},
		{"a write of the same data is left out", newVersion, func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				if have, err := b.good.Get(c, d.Key); err == nil && have.Version == d.Version && have.Owner == d.Owner && bytes.Equal(have.Data, d.Data) {
					return have, nil
				}
				return b.good.Put(c, d)
			}
		}},
		{"a write changes the versions of others", newVersion, func(b *broken) {
			var writes atomic.Int32
			b.put = func(c ctx, d document) (document, error) {
				d.Version, _, _ = strings.Cut(d.Version, " ")
				written, err := b.good.Put(c, d)
				if err == nil {
					written.Version += fmt.Sprint(" ", writes.Add(1))
				}
				return written, err
			}
			b.show(func(d document) document { d.Version += fmt.Sprint(" ", writes.Load()); return d })
		}},
		{"the last writer wins", old, func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				if have, err := b.good.Get(c, d.Key); err == nil && d.Version != "" && d.Validate() == nil {
					d.Version = have.Version
				}
				return b.good.Put(c, d)
			}
		}},
		{"deletions do not look at the version", old, func(b *broken) {
			b.delete = func(c ctx, key, _ string) error { return b.good.Delete(c, key, "") }
		}},
		{"a refused write is made all the same", old, func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				written, err := b.good.Put(c, d)
				if have, gone := b.good.Get(c, d.Key); gone == nil && errors.Is(err, hosting.Conflict) {
					d.Version = have.Version
					_, _ = b.good.Put(c, d)
				}
				return written, err
			}
		}},
		{"an old version is AlreadyExists", old, func(b *broken) {
			b.fail = func(err error) error {
				if errors.Is(err, hosting.Conflict) {
					return hosting.Errorf("", hosting.CodeOf(err), hosting.AlreadyExists, "%w", err)
				}
				return err
			}
		}},
		{"a version that is not a number is InvalidArgument", foreign, func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				if strings.Trim(d.Version, "0123456789") != "" {
					return document{}, hosting.Errorf("", hosting.UpdateFailed, hosting.InvalidArgument, "%s: version", d.Key)
				}
				return b.good.Put(c, d)
			}
		}},
		{"version 0 is any version", foreign, func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				if have, err := b.good.Get(c, d.Key); err == nil && d.Version == "0" {
					d.Version = have.Version
				}
				return b.good.Put(c, d)
			}
		}},
		{"versions are compared as numbers", foreign, func(b *broken) {
			b.delete = func(c ctx, key, version string) error {
				return b.good.Delete(c, key, cmp.Or(strings.TrimLeft(version, "0"), version))
			}
		}},
		{"versions begin again after a deletion", again, func(b *broken) {
			count, next := map[string]string{}, map[string]int{} // by real version, by key
			renumbered(b, func(d document) string {
				id := d.Key + " " + d.Version
				if count[id] == "" {
					next[d.Key]++
					count[id] = fmt.Sprint(next[d.Key])
				}
				return count[id]
			})
			deleted := b.delete
			b.delete = func(c ctx, key, version string) error {
				err := deleted(c, key, version)
				b.mu.Lock()
				defer b.mu.Unlock()
				if err == nil {
					delete(next, key)
				}
				return err
			}
		}},
	}
}

func keyDefects() []defect {
	const sorted, alike = "a list has the documents of its kind, sorted by key", "keys that look alike are told apart"
	lists := func(name, found string, change func(b *broken, c ctx, kind string, list []document) []document) defect {
		return defect{name, found, func(b *broken) {
			b.list = func(c ctx, kind string) ([]document, error) {
				list, err := b.good.List(c, kind)
				return change(b, c, kind, list), err
			}
		}}
	}
	return []defect{
		{"an empty list is not found", "a kind without documents is an empty list", func(b *broken) {
			b.list = func(c ctx, kind string) ([]document, error) {
				list, err := b.good.List(c, kind)
				if err == nil && len(list) == 0 {
					err = store.NotFound(hosting.ListFailed, kind)
				}
				return list, err
			}
		}},
		lists("lists are sorted the other way", sorted, func(_ *broken, _ ctx, _ string, list []document) []document {
			slices.Reverse(list)
			return list
		}),
		lists("lists are cut after ten", sorted, func(_ *broken, _ ctx, _ string, list []document) []document {
			return list[:min(10, len(list))]
		}),
		lists("lists have kinds that begin alike", sorted, func(b *broken, c ctx, kind string, list []document) []document {
			more, _ := b.good.List(c, kind+"b")
			return append(list, more...)
		}),
		lists("lists have no data", sorted, func(_ *broken, _ ctx, _ string, list []document) []document {
			for i := range list {
				list[i].Data = json.RawMessage(`null`)
			}
			return list
		}),
		{"what divides a key is replaced by a dash", alike, func(b *broken) {
			flat := func(key string) string {
				return strings.Map(func(r rune) rune {
					if r == ':' || r == '.' {
						return '-'
					}
					return r
				}, key)
			}
			b.put = func(c ctx, d document) (document, error) {
				if d.Validate() == nil {
					if first := b.note(flat(d.Key), d); first.Key != "" && first.Key != d.Key && d.Version == "" {
						return document{}, hosting.Errorf("", hosting.UpdateFailed, hosting.AlreadyExists, "%s", d.Key)
					}
				}
				return b.good.Put(c, d)
			}
		}},
		{"long keys are refused", alike, func(b *broken) {
			b.put = func(c ctx, d document) (document, error) {
				if len(d.Key) > 253 && store.ValidateKey(d.Key) == nil {
					return document{}, hosting.Errorf("", hosting.UpdateFailed, hosting.InvalidArgument, "%s", d.Key)
				}
				return b.good.Put(c, d)
			}
		}},
	}
}
