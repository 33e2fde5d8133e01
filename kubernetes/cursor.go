package kubernetes

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"math"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"skillcenter.io/hosting"
)

// A cursor is the position in every log of an instance: a version, a sum that
// identifies the instance, and for each source the names of its pod and its
// container (empty for the usual one) and a record of fixed size.
//
//	k1~<instance>~<pod>~<container>~<record>~<pod>~<container>~<record>...
//
// Records are changed in place, so that the cursor of each line costs a copy.
const (
	cursorVersion  = "k1"
	cursorRecord   = 36      // bytes: a multiple of three, so that base64 needs no padding
	cursorSum      = 6       // bytes that identify an instance or a pod
	cursorMaxBytes = 1 << 20 // thousands of sources
)

var cursorText = base64.RawURLEncoding

var cursorRecordLen = cursorText.EncodedLen(cursorRecord)

// sourceKey identifies the log of a container of a pod. Pods of a StatefulSet
// reuse names, so a sum of the UID tells them apart.
type sourceKey struct {
	pod, container string
	uid            [cursorSum]byte
}

// String is LogEntry.Source.
func (k sourceKey) String() string { return k.pod + "/" + k.container }

func sumOf(text string) [cursorSum]byte {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	var all [8]byte
	binary.BigEndian.PutUint64(all[:], h.Sum64())
	return [cursorSum]byte(all[:cursorSum])
}

// cursorBook holds the positions of all sources and writes cursors. It is not
// safe for concurrent use.
type cursorBook struct {
	text    []byte
	records map[sourceKey]int // where the record is in text
}

func newCursorBook(instanceUID string) *cursorBook {
	sum := sumOf(instanceUID)
	text := append([]byte(cursorVersion+"~"), cursorText.EncodeToString(sum[:])...)
	return &cursorBook{text: text, records: map[sourceKey]int{}}
}

// set changes the position of a source.
func (b *cursorBook) set(key sourceKey, at position) {
	record, known := b.records[key]
	if !known {
		container := key.container
		if container == containerName {
			container = ""
		}
		b.text = append(b.text, "~"+key.pod+"~"+container+"~"...)
		record = len(b.text)
		b.records[key] = record
		b.text = slices.Grow(b.text, cursorRecordLen)[:record+cursorRecordLen]
	}
	raw := encodePosition(key.uid, at)
	cursorText.Encode(b.text[record:record+cursorRecordLen], raw[:])
}

// drop forgets a source that is gone.
func (b *cursorBook) drop(key sourceKey) {
	record, known := b.records[key]
	if !known {
		return
	}
	delete(b.records, key)
	end := record + cursorRecordLen
	begin := record - 1 // behind the container's name
	for tildes := 0; tildes < 2; {
		if begin--; b.text[begin] == '~' {
			tildes++
		}
	}
	b.text = slices.Delete(b.text, begin, end)
	for other, at := range b.records {
		if at > begin {
			b.records[other] = at - (end - begin)
		}
	}
}

// cursor returns the cursor of all positions as they are.
func (b *cursorBook) cursor() string { return string(b.text) }

const (
	flagEnded = 1 << iota
)

func encodePosition(uid [cursorSum]byte, at position) [cursorRecord]byte {
	var raw [cursorRecord]byte
	copy(raw[:], uid[:])
	binary.BigEndian.PutUint32(raw[6:], uint32(at.run))
	binary.BigEndian.PutUint32(raw[10:], at.runID)
	binary.BigEndian.PutUint64(raw[14:], uint64(at.at))
	binary.BigEndian.PutUint32(raw[22:], at.sum)
	binary.BigEndian.PutUint32(raw[26:], uint32(min(at.count, math.MaxUint32)))
	// What was overtaken is a moment ago: more than four seconds are not
	// needed.
	binary.BigEndian.PutUint32(raw[30:], uint32(min(at.high-at.at, math.MaxUint32)))
	if at.ended {
		raw[34] = flagEnded
	}
	return raw
}

func decodePosition(raw [cursorRecord]byte) (uid [cursorSum]byte, at position, ok bool) {
	at.run = int64(binary.BigEndian.Uint32(raw[6:]))
	at.runID = binary.BigEndian.Uint32(raw[10:])
	at.at = int64(binary.BigEndian.Uint64(raw[14:]))
	at.sum = binary.BigEndian.Uint32(raw[22:])
	at.count = int(binary.BigEndian.Uint32(raw[26:]))
	behind := int64(binary.BigEndian.Uint32(raw[30:]))
	at.ended = raw[34] == flagEnded
	if at.at < 0 || at.at > math.MaxInt64-behind {
		return uid, at, false
	}
	at.high = at.at + behind
	uid = [cursorSum]byte(raw[:cursorSum])
	return uid, at, raw == encodePosition(uid, at)
}

// parseCursor reads a cursor of an instance. The error is
// hosting.FieldErrors.
func parseCursor(text, instanceUID string) (map[sourceKey]position, error) {
	refused := hosting.FieldErrors{{Field: "after", Value: text, Allowed: "the cursor of a log entry of this instance"}}
	parts := strings.Split(text, "~")
	sum := sumOf(instanceUID)
	if len(text) > cursorMaxBytes || len(parts)%3 != 2 || parts[0] != cursorVersion || parts[1] != cursorText.EncodeToString(sum[:]) {
		return nil, refused
	}
	positions := map[sourceKey]position{}
	for group := range slices.Chunk(parts[2:], 3) {
		key := sourceKey{pod: group[0], container: cmp.Or(group[1], containerName)}
		var raw [cursorRecord]byte
		if group[1] == containerName || len(validation.IsDNS1123Subdomain(key.pod)) > 0 || len(validation.IsDNS1123Label(key.container)) > 0 ||
			len(group[2]) != cursorRecordLen {
			return nil, refused
		}
		if _, err := cursorText.Strict().Decode(raw[:], []byte(group[2])); err != nil {
			return nil, refused
		}
		uid, at, ok := decodePosition(raw)
		key.uid = uid
		if _, twice := positions[key]; !ok || twice {
			return nil, refused
		}
		positions[key] = at
	}
	return positions, nil
}
