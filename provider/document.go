package provider

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// What a configuration may be at most. Aliases count as often as they are
// used, so a small file cannot become a large one.
const (
	maxFileSize = 1 << 20
	maxNodes    = 10_000
	maxDepth    = 32
)

// document is a YAML file as a tree, with what is wrong with its form.
type document struct {
	file     string
	root     *node // nil if there is nothing
	lookup   func(string) (string, bool)
	problems Problems
}

type kind string

const (
	aScalar  kind = "a single value"
	aMapping kind = "a mapping"
	aList    kind = "a list"
)

// node is a value of a document. Aliases are followed and merge keys resolved.
type node struct {
	kind    kind
	line    int
	text    string // of a scalar, as it is written
	null    bool
	entries []entry // of a mapping, in the order of the file
	items   []*node // of a list
}

type entry struct {
	key   string
	line  int
	value *node
}

// child returns the value of a key, nil if there is none.
func (n *node) child(key string) *node {
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// parse reads a document. What is wrong with its form is in its problems; the
// rest of it is read.
func parse(file string, data []byte, lookup func(string) (string, bool)) *document {
	doc := &document{file: file, lookup: lookup}
	if len(data) > maxFileSize {
		doc.problem(0, "", "the file has %d bytes: allowed: at most %d", len(data), maxFileSize)
		return doc
	}
	if line, found := badCharacter(data); found {
		doc.problem(line, "", "a character that YAML does not allow: allowed: UTF-8 text")
		return doc
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var read, second yaml.Node
	err := decoder.Decode(&read)
	if errors.Is(err, io.EOF) {
		return doc
	}
	if err == nil {
		if err = decoder.Decode(&second); err == nil {
			doc.problem(second.Line, "", "a second document: allowed: one in each file")
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		line, text := syntaxError(err, data)
		doc.problem(line, "", "not YAML: %s", text)
	}
	if read.Kind != yaml.DocumentNode {
		return doc
	}
	r := reader{doc: doc, open: map[*yaml.Node]bool{}}
	doc.root = r.read(read.Content[0], "")
	return doc
}

func (doc *document) problem(line int, key, format string, args ...any) {
	doc.problems = append(doc.problems, Problem{doc.file, line, key, fmt.Errorf(format, args...)})
}

// reader makes nodes of what the YAML library read.
type reader struct {
	doc   *document
	nodes int
	depth int
	open  map[*yaml.Node]bool // those that are being read, against cycles
}

// read returns nil for what cannot be used, after noting why.
func (r *reader) read(from *yaml.Node, path string) *node {
	r.nodes++
	if r.nodes > maxNodes {
		if r.nodes == maxNodes+1 {
			r.doc.problem(from.Line, path, "too many values: allowed: at most %d, those behind aliases counted each time", maxNodes)
		}
		return nil
	}
	if r.depth++; r.depth > maxDepth {
		r.doc.problem(from.Line, path, "nested too deeply: allowed: at most %d levels", maxDepth)
		r.depth--
		return nil
	}
	defer func() { r.depth-- }()
	if from.Kind == yaml.AliasNode {
		if r.open[from.Alias] {
			r.doc.problem(from.Line, path, "the alias *%s is inside of what it stands for: allowed: an alias of something else", from.Value)
			return nil
		}
		n := r.read(from.Alias, path)
		if n != nil {
			n.line = from.Line
		}
		return n
	}
	r.open[from] = true
	defer delete(r.open, from)
	if !plainTag(from) {
		r.doc.problem(from.Line, path, "tag %.40q: allowed: none", from.Tag)
		return nil
	}
	n := &node{line: from.Line}
	switch from.Kind {
	case yaml.ScalarNode:
		n.kind, n.text, n.null = aScalar, from.Value, from.ShortTag() == "!!null"
	case yaml.SequenceNode:
		n.kind = aList
		for i, item := range from.Content {
			if value := r.read(item, fmt.Sprintf("%s[%d]", path, i)); value != nil {
				n.items = append(n.items, value)
			}
		}
	case yaml.MappingNode:
		n.kind = aMapping
		r.mapping(n, from, path)
	}
	return n
}

// mapping reads the entries of a mapping. Its own keys go before those that
// are merged into it.
func (r *reader) mapping(n *node, from *yaml.Node, path string) {
	lines := map[string]int{}
	var merged []*node
	for i := 0; i+1 < len(from.Content); i += 2 {
		key, value := from.Content[i], from.Content[i+1]
		if key.Tag == "!!merge" {
			if m := r.read(value, path); m != nil {
				merged = append(merged, r.sources(m, path)...)
			}
			continue
		}
		if key.Kind != yaml.ScalarNode {
			r.doc.problem(key.Line, path, "a key that is not text: allowed: text")
			continue
		}
		at := join(path, key.Value)
		if first, twice := lines[key.Value]; twice {
			r.doc.problem(key.Line, at, "given twice, first on line %d: allowed: each key once", first)
			continue
		}
		lines[key.Value] = key.Line
		if read := r.read(value, at); read != nil {
			n.entries = append(n.entries, entry{key.Value, key.Line, read})
		}
	}
	for _, source := range merged {
		for _, e := range source.entries {
			if _, own := lines[e.key]; !own {
				lines[e.key] = e.line
				n.entries = append(n.entries, e)
			}
		}
	}
}

// sources returns the mappings that a merge key names.
func (r *reader) sources(n *node, path string) []*node {
	list := []*node{n}
	if n.kind == aList {
		list = n.items
	}
	for _, source := range list {
		if source.kind != aMapping {
			r.doc.problem(source.line, join(path, "<<"), "is %s: allowed: an alias of a mapping, or a list of them", source.kind)
			return nil
		}
	}
	return list
}

// plainTag tells whether a node has no tag, or one that says what it is anyway.
func plainTag(n *yaml.Node) bool {
	if n.Style&yaml.TaggedStyle == 0 {
		return true
	}
	switch n.ShortTag() {
	case "!!str", "!!int", "!!bool", "!!float", "!!null", "!!map", "!!seq":
		return true
	}
	return false
}

// join returns the path of a key. One that would make a message hard to read
// is quoted and cut.
func join(path, key string) string {
	if len(key) > 80 || strconv.Quote(key) != `"`+key+`"` || key == "" {
		key = fmt.Sprintf("%.80q", key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// find returns the value of a key, such as "regions[1].name" below n, and where
// the key stands; or the deepest of what holds it.
func (n *node) find(key string) (value *node, line int) {
	line = n.line
	for step := range strings.FieldsFuncSeq(key, func(r rune) bool { return r == '.' || r == '[' }) {
		if index, found := strings.CutSuffix(step, "]"); found {
			i, err := strconv.Atoi(index)
			if err != nil || i < 0 || i >= len(n.items) {
				return n, line
			}
			n = n.items[i]
			line = n.line
			continue
		}
		found := false
		for _, e := range n.entries {
			if e.key == step {
				n, line, found = e.value, e.line, true
				break
			}
		}
		if !found {
			return n, line
		}
	}
	return n, line
}
