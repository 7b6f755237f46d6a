// Package kro expands instances of kro ResourceGraphDefinitions into the objects that kro would apply, without a cluster.
//
// kro's own library checks the definitions and compiles their expressions; this package feeds it Kubernetes' schemas,
// plays the API server for instances (defaults, pruning, validation) and evaluates the expressions. What only a cluster
// knows, such as another object's status, becomes a placeholder that begins with [object.UnknownPrefix].
//
// It does not find the definitions and reads no files. What kro adds to objects for its own bookkeeping (labels,
// annotations) is left out. Semantics are those of kro v0.9.4.
package kro

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync"
	"time"

	k8s "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/kro/schema"
)

// Group is the API group of definitions, and of the kinds they define unless they say otherwise.
const Group = "kro.run"

// The bounds of one definition and one expansion.
const (
	maxDefinition     = 1 << 20   // bytes of one definition; etcd takes no more either
	maxFields         = 10_000    // fields of a definition's schema
	maxResources      = 1000      // resources of one definition
	maxDepth          = 8         // instances inside instances
	maxChain          = 100       // definitions that build on one another
	maxObjects        = 5000      // objects of one instance, those of inner instances included
	maxCollection     = 1000      // items of one forEach; kro's default
	maxDimensions     = 10        // forEach dimensions; kro's default
	maxExpressionCost = 1_000_000 // CEL cost units of one evaluation, about 0.1 s
	maxResult         = 1 << 20   // bytes and values of one expression's result
)

// compileTimeout is how long the definition may take that takes longest. Nothing can stop kro's library in the middle.
const compileTimeout = 30 * time.Second

// Engine compiles definitions and remembers them. It is safe for concurrent use.
type Engine struct {
	schemas *schema.Set
	limit   int

	mu       sync.Mutex
	compiled map[string]*compiled
}

// NewEngine returns an Engine that remembers at most limit compiled definitions; it forgets all when it is full.
func NewEngine(schemas *schema.Set, limit int) *Engine {
	return &Engine{schemas: schemas, limit: limit, compiled: map[string]*compiled{}}
}

// Program is the compiled definitions of one commit.
type Program struct {
	kinds    map[k8s.GroupVersionKind]*compiled
	order    []k8s.GroupVersionKind // of kinds, as they are written
	findings []finding.Finding
}

// Compile compiles the definitions of one commit by the rules of a version of kro, those that others build on first. A
// definition that kro would reject is a finding; its instances are reported when they are expanded. Of several definitions
// of one kind the first counts.
func (e *Engine) Compile(ctx context.Context, version Version, definitions []Definition) *Program {
	c := &compilation{engine: e, ctx: ctx, version: version, definitions: map[k8s.GroupVersionKind]Definition{}, done: map[k8s.GroupVersionKind]*compiled{}}
	for _, d := range definitions {
		if first, twice := c.definitions[d.Kind]; twice {
			c.findings = append(c.findings, d.again(first))
			continue
		}
		c.definitions[d.Kind] = d
		c.order = append(c.order, d.Kind)
	}
	for _, kind := range c.order {
		one := c.compile(kind, nil)
		c.findings = append(c.findings, one.findings...)
	}
	return &Program{kinds: c.done, order: c.order, findings: finding.Sort(c.findings)}
}

// Findings lists what is wrong with the definitions.
func (p *Program) Findings() []finding.Finding { return p.findings }

// Namespaced reports whether a defined kind lives in a namespace; known is false for kinds that no definition defines.
func (p *Program) Namespaced(group, kind string) (namespaced, known bool) {
	for _, gvk := range p.order {
		if gvk.Group == group && gvk.Kind == kind {
			return p.kinds[gvk].definition.namespaced(), true
		}
	}
	return false, false
}

// Key returns a text that is equal for equal definitions of a kind, those that it builds on included, and "" for a kind
// that no definition defines.
func (p *Program) Key(gvk k8s.GroupVersionKind) string {
	if c, ok := p.kinds[gvk]; ok {
		return c.key
	}
	return ""
}

func (e *Engine) lookup(key string) (*compiled, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, ok := e.compiled[key]
	return c, ok
}

func (e *Engine) remember(c *compiled) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.compiled) >= e.limit {
		clear(e.compiled)
	}
	e.compiled[c.key] = c
}

func digest(parts ...string) string {
	var all []byte
	for _, p := range parts {
		all = strconv.AppendInt(all, int64(len(p)), 10)
		all = append(append(all, ':'), p...)
	}
	sum := sha256.Sum256(all)
	return hex.EncodeToString(sum[:])
}
