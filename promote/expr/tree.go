package expr

import (
	"fmt"
	"strconv"
	"strings"
)

const maxTreeDepth = 64

// Tree is the result of evaluating every string of a JSON value.
type Tree struct {
	value   any
	retyped map[string]string
}

// Any is the value with every string replaced by its result. It shares nothing that can change with the input.
func (t Tree) Any() any { return t.value }

// Retyped gives the original text of every string that became a number, a boolean or null because it looks like one,
// by its path, for example "updates[0].value". It is nil if there is none.
func (t Tree) Retyped() map[string]string { return t.retyped }

// EvalTree evaluates the values, not the keys, of maps and lists recursively; other values are kept.
// An error begins with the path of the string.
func EvalTree(tree any, env Env) (Tree, error) {
	t := Tree{}
	e := newEvaluation(env)
	var err error
	t.value, err = t.eval(e, tree, "", 0)
	if err != nil {
		return Tree{}, err
	}
	return t, nil
}

func (t *Tree) eval(e *evaluation, node any, path string, depth int) (any, error) {
	if depth > maxTreeDepth {
		return nil, fmt.Errorf("%s: nested more than %d levels deep: %w", excerpt(path), maxTreeDepth, ErrTooCostly)
	}
	switch n := node.(type) {
	case string:
		return t.evalString(e, n, path)
	case []any:
		list := make([]any, len(n))
		for i, item := range n {
			v, err := t.eval(e, item, path+"["+strconv.Itoa(i)+"]", depth+1)
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return list, nil
	case map[string]any:
		object := make(map[string]any, len(n))
		for _, key := range sortedKeys(n) {
			v, err := t.eval(e, n[key], join(path, key), depth+1)
			if err != nil {
				return nil, err
			}
			object[key] = v
		}
		return object, nil
	}
	return node, nil
}

func (t *Tree) evalString(e *evaluation, s, path string) (any, error) {
	v, err := e.template(s)
	if err != nil {
		if path == "" {
			return nil, err
		}
		return nil, fmt.Errorf("%s: %w", excerpt(path), err)
	}
	if v.WasRetyped() {
		if t.retyped == nil {
			t.retyped = map[string]string{}
		}
		t.retyped[path] = v.Text()
	}
	return v.Any(), nil
}

// join appends a key to a path.
func join(path, key string) string {
	switch {
	case key == "" || strings.ContainsAny(key, `.[]" `):
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}
