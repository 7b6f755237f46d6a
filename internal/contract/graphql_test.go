package contract_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
			handler := schema.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := make([]byte, len(test.body))
				n, _ := r.Body.Read(body)
				reached = string(body[:n])
				w.WriteHeader(http.StatusBadGateway) // a proxy's answer is none of the schema
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

func TestAnswersAreCheckedOnTheirWay(t *testing.T) {
	schema, err := contract.ParseSchema("pets", []byte(petSchema))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, query, answer string
		want                []string
	}{
		{"what was asked for", "{ pet(id: 1) { name } }", `{"data":{"pet":{"name":"Tom"}}}`, nil},
		{"a field is missing", "{ pet(id: 1) { name } }", `{"data":{"pet":{}}}`, []string{"answer 200 to POST /graphql: pets: data.pet.name is missing"}},
		{"of a wrong request only the request is said", "{ dog }", `{}`, []string{`request POST /graphql: pets: input:1:3: Cannot query field "dog" on type "Query".` + "\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			handler := schema.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(test.answer))
			}), func(err error) { got = append(got, err.Error()) })
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", strings.NewReader(`{"query":"`+test.query+`"}`)))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if answer.Body.String() != test.answer {
				t.Errorf("the client gets %q", answer.Body)
			}
		})
	}
}
