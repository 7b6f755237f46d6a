package kro

import (
	"sync"

	"k8s.io/apiserver/pkg/cel/common"
	"k8s.io/apiserver/pkg/cel/openapi"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// fastSchema is a schema that makes its lists of fields once: Kubernetes' own makes them anew for every field that an
// expression reads. It is safe for concurrent use.
type fastSchema struct {
	common.Schema
	properties func() map[string]common.Schema
	items      func() common.Schema
	additional func() common.SchemaOrBool
}

// newFastSchema returns nil for nil.
func newFastSchema(s *spec.Schema) common.Schema {
	if s == nil {
		return nil
	}
	return fast(&openapi.Schema{Schema: s})
}

func fast(s common.Schema) common.Schema {
	if s == nil {
		return nil
	}
	return &fastSchema{
		Schema: s,
		properties: sync.OnceValue(func() map[string]common.Schema {
			properties := s.Properties()
			for name, property := range properties { // a map of its own
				properties[name] = fast(property)
			}
			return properties
		}),
		items: sync.OnceValue(func() common.Schema { return fast(s.Items()) }),
		additional: sync.OnceValue(func() common.SchemaOrBool {
			if additional := s.AdditionalProperties(); additional != nil {
				return fastSchemaOrBool{additional, fast(additional.Schema())}
			}
			return nil
		}),
	}
}

func (s *fastSchema) Properties() map[string]common.Schema      { return s.properties() }
func (s *fastSchema) Items() common.Schema                      { return s.items() }
func (s *fastSchema) AdditionalProperties() common.SchemaOrBool { return s.additional() }

type fastSchemaOrBool struct {
	common.SchemaOrBool
	schema common.Schema
}

func (s fastSchemaOrBool) Schema() common.Schema { return s.schema }
