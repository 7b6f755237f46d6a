package contract

import (
	"maps"
	"net/http"

	"github.com/getkin/kin-openapi/openapi3"
)

// tightenRequests makes every object of a request body refuse fields that the description does not name, and counts the
// operations. Bodies share schemas with answers, which stay open: a newer server may say more.
func tightenRequests(doc *openapi3.T) int {
	operations := 0
	strict := tightener{done: map[*openapi3.Schema]*openapi3.Schema{}}
	for _, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			operations++
			if operation.RequestBody == nil || operation.RequestBody.Value == nil {
				continue
			}
			body := *operation.RequestBody.Value
			body.Content = maps.Clone(body.Content)
			for mediaType, media := range body.Content {
				tight := *media
				tight.Schema = strict.ref(media.Schema)
				body.Content[mediaType] = &tight
			}
			operation.RequestBody = &openapi3.RequestBodyRef{Value: &body}
		}
	}
	return operations
}

// A tightener copies schemas, closing objects on the way. done ends recursion on schemas that contain themselves.
type tightener struct {
	done map[*openapi3.Schema]*openapi3.Schema
}

func (t tightener) ref(ref *openapi3.SchemaRef) *openapi3.SchemaRef {
	if ref == nil || ref.Value == nil {
		return ref
	}
	return &openapi3.SchemaRef{Ref: ref.Ref, Value: t.schema(ref.Value)}
}

func (t tightener) schema(open *openapi3.Schema) *openapi3.Schema {
	if tight, ok := t.done[open]; ok {
		return tight
	}
	tight := *open
	t.done[open] = &tight
	tight.Items = t.ref(open.Items)
	tight.Properties = t.properties(open.Properties)
	if open.AdditionalProperties.Schema != nil {
		tight.AdditionalProperties.Schema = t.ref(open.AdditionalProperties.Schema)
	}
	if len(open.Properties) == 0 {
		tight.OneOf = t.refs(open.OneOf)
		tight.AnyOf = t.refs(open.AnyOf)
		return &tight
	}
	// The alternatives of an object with fields of its own describe the same fields again: closing each would refuse the others'.
	for _, branches := range []openapi3.SchemaRefs{open.OneOf, open.AnyOf, open.AllOf} {
		for _, branch := range branches {
			t.allow(&tight, branch)
		}
	}
	if open.AdditionalProperties.Has == nil && open.AdditionalProperties.Schema == nil {
		tight.AdditionalProperties.Has = new(bool)
	}
	return &tight
}

func (t tightener) allow(object *openapi3.Schema, branch *openapi3.SchemaRef) {
	if branch == nil || branch.Value == nil {
		return
	}
	for name := range branch.Value.Properties {
		if _, ok := object.Properties[name]; !ok {
			object.Properties[name] = openapi3.NewSchemaRef("", openapi3.NewSchema())
		}
	}
}

func (t tightener) refs(open openapi3.SchemaRefs) openapi3.SchemaRefs {
	var tight openapi3.SchemaRefs
	for _, ref := range open {
		tight = append(tight, t.ref(ref))
	}
	return tight
}

func (t tightener) properties(open openapi3.Schemas) openapi3.Schemas {
	if open == nil {
		return nil
	}
	tight := make(openapi3.Schemas, len(open))
	for name, ref := range open {
		tight[name] = t.ref(ref)
	}
	return tight
}

// amendGitHub adds what GitHub's documentation says in prose and its schemas leave out. Other descriptions are not touched.
func amendGitHub(doc *openapi3.T) {
	const labels = "/repos/{owner}/{repo}/issues/{issue_number}/labels"
	const checkRuns = "/repos/{owner}/{repo}/check-runs"
	if media := postBody(doc, labels); media != nil {
		// "You can also pass an array of labels directly."
		bare := openapi3.NewArraySchema().WithItems(openapi3.NewStringSchema())
		both := openapi3.NewOneOfSchema()
		both.OneOf = openapi3.SchemaRefs{media.Schema, openapi3.NewSchemaRef("", bare)}
		media.Schema = openapi3.NewSchemaRef("", both)
	}
	if media := postBody(doc, checkRuns); media != nil && media.Schema.Value != nil {
		// "conclusion: required if you provide a status of completed."
		unfinished := openapi3.NewSchema()
		unfinished.Properties = openapi3.Schemas{
			"status": openapi3.NewSchemaRef("", openapi3.NewStringSchema().WithEnum("completed")),
		}
		unfinished.Required = []string{"status"}
		concluded := openapi3.NewSchema()
		concluded.Required = []string{"conclusion"}
		unfinished.Not = openapi3.NewSchemaRef("", concluded)
		media.Schema.Value.Not = openapi3.NewSchemaRef("", unfinished)
	}
	if media := postBody(doc, "/app/installations/{installation_id}/access_tokens"); media != nil && media.Schema.Value != nil {
		media.Schema.Value.Nullable = true // every field may be left out, and GitHub's own client library then sends null
	}
	amendInstallations(doc)
}

// amendInstallations: the account of an installation is a user or an enterprise, as the schema "installation" says. The bundled
// description of the list asks for both at once.
func amendInstallations(doc *openapi3.T) {
	item := doc.Paths.Value("/app/installations")
	if item == nil || item.Get == nil || item.Get.Responses == nil {
		return
	}
	answer := item.Get.Responses.Status(http.StatusOK)
	if answer == nil || answer.Value == nil || answer.Value.Content["application/json"] == nil {
		return
	}
	list := answer.Value.Content["application/json"].Schema
	if list == nil || list.Value == nil || list.Value.Items == nil || list.Value.Items.Value == nil {
		return
	}
	if account := list.Value.Items.Value.Properties["account"]; account != nil && account.Value != nil {
		account.Value.AnyOf, account.Value.AllOf = account.Value.AllOf, nil
	}
}

// amendGitLab gives settings of projects the type that GitLab's documentation shows and its client libraries read; the generated
// description takes whatever it knows no type of for a text.
func amendGitLab(doc *openapi3.T) {
	if doc.Components == nil {
		return
	}
	for _, name := range []string{"APIEntitiesProject", "APIEntitiesProjectWithAccess"} {
		schema := doc.Components.Schemas[name]
		if schema == nil || schema.Value == nil {
			continue
		}
		for _, setting := range []string{"merge_pipelines_enabled", "merge_trains_enabled", "only_allow_merge_if_all_status_checks_passed"} {
			if schema.Value.Properties[setting] != nil {
				schema.Value.Properties[setting] = openapi3.NewSchemaRef("", openapi3.NewBoolSchema().WithNullable())
			}
		}
	}
}

func postBody(doc *openapi3.T, path string) *openapi3.MediaType {
	item := doc.Paths.Value(path)
	if item == nil || item.Post == nil || item.Post.RequestBody == nil || item.Post.RequestBody.Value == nil {
		return nil
	}
	return item.Post.RequestBody.Value.Content["application/json"]
}
