package contract_test

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/contract"
)

const zooSchema = `
type Query { animal(id: Int!): Animal animals: [Animal!]! keeper: Keeper }
interface Animal { name: String! }
type Cat implements Animal { name: String! mood: Mood age: Int }
type Dog implements Animal { name: String! loud: Boolean! }
type Keeper { since: Date! }
enum Mood { GOOD BAD }
scalar Date
`

func TestAnswersAreCheckedAgainstASchema(t *testing.T) {
	schema, err := contract.ParseSchema("zoo", []byte(zooSchema))
	if err != nil {
		t.Fatal(err)
	}
	const asked = `{"query":"{ animal(id: 1) { __typename name ...on Cat { mood age } ...dog } } fragment dog on Dog { loud }"}`
	for _, test := range []struct {
		name, asked, answer string
		want                string // in the violation; empty: none
	}{
		{"what was asked for", asked, `{"data":{"animal":{"__typename":"Cat","name":"Tom","mood":"GOOD","age":3}}}`, ""},
		{"another kind, with its own fields", asked, `{"data":{"animal":{"__typename":"Dog","name":"Rex","loud":true}}}`, ""},
		{"nothing found", asked, `{"data":{"animal":null}}`, ""},
		{"an alias", `{"query":"{ tom: animal(id: 1) { name } }"}`, `{"data":{"tom":{"name":"Tom"}}}`, ""},
		{"a field that is left out on purpose", `{"query":"{ animal(id: 1) { name @skip(if: true) } }"}`, `{"data":{"animal":{}}}`, ""},
		{"an error instead of data", asked, `{"data":null,"errors":[{"message":"no"}]}`, ""},
		{"an error beside data", `{"query":"{ keeper { since } }"}`, `{"data":{"keeper":{"since":null}},"errors":[{"message":"no"}]}`, ""},
		{"a field that is missing", asked, `{"data":{"animal":{"__typename":"Cat","name":"Tom","mood":"GOOD"}}}`, "data.animal.age is missing"},
		{"a field of a fragment that is missing", asked, `{"data":{"animal":{"__typename":"Dog","name":"Rex"}}}`, "data.animal.loud is missing"},
		{"null where there is none", `{"query":"{ keeper { since } }"}`, `{"data":{"keeper":{"since":null}}}`, "data.keeper.since is null"},
		{"a word that an enum does not know", asked, `{"data":{"animal":{"__typename":"Cat","name":"Tom","mood":"HUNGRY","age":3}}}`, "is HUNGRY, which is no Mood"},
		{"another type of scalar", asked, `{"data":{"animal":{"__typename":"Cat","name":7,"mood":"GOOD","age":3}}}`, "data.animal.name is 7, which is no String"},
		{"a broken number", asked, `{"data":{"animal":{"__typename":"Cat","name":"Tom","mood":"GOOD","age":3.5}}}`, "which is no Int"},
		{"an object that cannot be there", asked, `{"data":{"animal":{"__typename":"Keeper","name":"Ann"}}}`, "is a Keeper, the schema has Animal"},
		{"an item of a list", `{"query":"{ animals { name } }"}`, `{"data":{"animals":[{"name":"Tom"},null]}}`, "data.animals[1] is null"},
		{"no list", `{"query":"{ animals { name } }"}`, `{"data":{"animals":{"name":"Tom"}}}`, "the schema has [Animal!]!"},
		{"no object", `{"query":"{ keeper { since } }"}`, `{"data":{"keeper":"Ann"}}`, "the schema has Keeper"},
		{"no JSON", asked, `<html>`, "not the expected JSON"},
		{"nothing at all", asked, `{}`, "data.animal is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if err := schema.CheckAnswer([]byte(test.asked), []byte(test.answer)); err != nil {
				got = err.Error()
			}
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
