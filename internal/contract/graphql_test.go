package contract_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/contract"
)

const petSchema = `
type Query { pet(id: Int!): Pet }
type Mutation { feed(id: Int!, food: Food!): Pet }
type Pet { name: String! }
enum Food { HAY MEAT }
`

func TestQueriesAreCheckedAgainstASchema(t *testing.T) {
	schema, err := contract.ParseSchema("pets", []byte(petSchema))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		body string
		want string // in the violation; empty: none
	}{
		{"a query", `{"query":"query($id: Int!) { pet(id: $id) { name } }","variables":{"id":7}}`, ""},
		{"a mutation", `{"query":"mutation($f: Food!) { feed(id: 1, food: $f) { name } }","variables":{"f":"HAY"}}`, ""},
		{"a field that is not there", `{"query":"{ pet(id: 1) { age } }"}`, `Cannot query field "age"`},
		{"a variable of another kind", `{"query":"query($id: Int!) { pet(id: $id) { name } }","variables":{"id":"x"}}`, "cannot use"},
		{"a variable that is missing", `{"query":"query($id: Int!) { pet(id: $id) { name } }"}`, "must be defined"},
		{"a variable too many", `{"query":"{ pet(id: 1) { name } }","variables":{"id":7}}`, `no variable "id"`},
		{"a word that an enum does not know", `{"query":"mutation($f: Food!) { feed(id: 1, food: $f) { name } }","variables":{"f":"SOAP"}}`, "SOAP"},
		{"no query", `{"query":""}`, "0 operations"},
		{"no JSON", `query`, "no GraphQL request"},
		{"a field of the request that is not there", `{"query":"{ pet(id: 1) { name } }","extra":1}`, "no GraphQL request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var violations []string
			reached := ""
			handler := schema.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body := make([]byte, len(test.body))
				n, _ := r.Body.Read(body)
				reached = string(body[:n])
			}), func(err error) { violations = append(violations, err.Error()) })
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", strings.NewReader(test.body)))
			if reached != test.body {
				t.Errorf("%q reached the server", reached)
			}
			if got := strings.Join(violations, "\n"); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestABrokenSchemaIsSaid(t *testing.T) {
	if _, err := contract.ParseSchema("pets", []byte("type Query { pet: Dog }")); err == nil || !strings.Contains(err.Error(), `"pets"`) {
		t.Errorf("got %v", err)
	}
	if _, err := contract.LoadSchema("/nowhere"); err == nil {
		t.Error("nothing was loaded")
	}
}
