package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// A Schema is one GraphQL schema. It may be used by many goroutines at once.
type Schema struct {
	name   string
	schema *ast.Schema
}

// LoadSchema reads the GraphQL schema at path.
func LoadSchema(path string) (*Schema, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("API description: %w", err)
	}
	return ParseSchema(filepath.Base(path), data)
}

// ParseSchema is LoadSchema for a document already in memory; name stands for it in messages.
func ParseSchema(name string, data []byte) (*Schema, error) {
	loaded, err := gqlparser.LoadSchema(&ast.Source{Name: name, Input: string(data)})
	if err != nil {
		return nil, fmt.Errorf("API description %q: %w", name, err)
	}
	return &Schema{name: name, schema: loaded}, nil
}

// Check says what is wrong with the body of a request: JSON with one operation in "query", and its "variables".
func (s *Schema) Check(body []byte) error {
	var asked struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		return fmt.Errorf("the body is no GraphQL request: %w", err)
	}
	document, found := gqlparser.LoadQueryWithRules(s.schema, asked.Query, rules.NewDefaultRules())
	if len(found) > 0 {
		return found
	}
	if len(document.Operations) != 1 {
		return fmt.Errorf("the query has %d operations, expected one", len(document.Operations))
	}
	operation := document.Operations[0]
	for name := range asked.Variables {
		if operation.VariableDefinitions.ForName(name) == nil {
			return fmt.Errorf("the query has no variable %q", name)
		}
	}
	_, err := validator.VariableValues(s.schema, operation, asked.Variables)
	return err
}

// Handler serves with next and calls report with a *[ViolationError] for each request and each answer that the schema does not
// allow. The request reaches next all the same. report may be called by several goroutines at once. Answers are held back until
// they are complete or flushed.
func (s *Schema) Handler(next http.Handler, report func(error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		violation := func(status int, err error) {
			report(&ViolationError{Method: r.Method, Path: r.URL.EscapedPath(), Status: status, Err: fmt.Errorf("%s: %w", s.name, err)})
		}
		allowed := s.Check(body)
		if r.Method != http.MethodPost {
			allowed = errors.New("GraphQL is asked by POST")
		}
		if allowed != nil {
			violation(0, allowed)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := newRecorder(w)
		next.ServeHTTP(answer, r)
		if r.Context().Err() != nil {
			return // The client left: what was written is not an answer.
		}
		if allowed == nil && answer.status == http.StatusOK {
			if err := s.CheckAnswer(body, answer.body.Bytes()); err != nil {
				violation(answer.status, err)
			}
		}
		answer.replay()
	})
}
