package diff_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lockkeeper/lockkeeper/render/diff"
	"github.com/lockkeeper/lockkeeper/render/object"
)

func objectOf(raw string) (object.Object, bool) {
	var o object.Object
	err := json.Unmarshal([]byte(raw), &o.Fields)
	return o, err == nil
}

func app(base, head object.Object) []diff.App {
	return []diff.App{{Name: "app", Namespace: "develop", Base: []object.Object{base}, Head: []object.Object{head}}}
}

var seeds = []string{
	`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"},"spec":{"replicas":1,"containers":[{"name":"a","image":"x:1","env":[{"name":"A","value":"b"}]}]}}`,
	`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"data":{"a":"YQ=="},"stringData":{"b":"c"}}`,
	`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"a":"x\ny\n` + "```" + `\n</details>\n/merge","b":" "}}`,
	`{"kind":"` + "```" + `","spec":[[],[[1]],[{}],null,{"a":[1.5,true,"\u202e\u0000"]}]}`,
	`{"kind":"Service","apiVersion":"v1","spec":{"ports":[{"port":80},{"port":{}}],"clusterIP":""}}`,
	`{}`,
}

func FuzzCompare(f *testing.F) {
	for i, s := range seeds {
		f.Add(s, seeds[(i+1)%len(seeds)])
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, rawBase, rawHead string) {
		base, baseOK := objectOf(rawBase)
		head, headOK := objectOf(rawHead)
		if !baseOK || !headOK {
			return
		}
		again, _ := objectOf(rawBase)
		if same := diff.Compare(app(base, again)); !same.Empty() || same.Unchanged != 1 {
			t.Errorf("an object differs from itself:\n%s", diff.Text(same, diff.TextOptions{}))
		}
		there, back := diff.Compare(app(base, head)), diff.Compare(app(head, base))
		if there.Empty() != back.Empty() {
			t.Errorf("there is a change in one direction only:\n%s\n%s", diff.Text(there, diff.TextOptions{}), diff.Text(back, diff.TextOptions{}))
		}
		first, second := outputs(t, there), outputs(t, diff.Compare(app(base, head)))
		for form, text := range first {
			if text != second[form] {
				t.Errorf("%s differs from run to run", form)
			}
		}
	})
}

func FuzzMarkdown(f *testing.F) {
	for i, s := range seeds {
		f.Add(s, seeds[(i+1)%len(seeds)], "app", 700*i, uint8(i))
	}
	f.Add(seeds[2], seeds[5], "`|\n</details>/merge@all", 100, uint8(9))
	f.Fuzz(func(t *testing.T, rawBase, rawHead, name string, limit int, copies uint8) {
		base, baseOK := objectOf(rawBase)
		head, headOK := objectOf(rawHead)
		if !baseOK || !headOK {
			return
		}
		limit = limit&0xffff + 1
		var list []diff.App
		for i := range copies % 8 {
			a := app(base, head)[0]
			a.Name = fmt.Sprint(name, i)
			a.Findings = []diff.Finding{{Severity: diff.SeverityError, Message: name, Where: rawBase}}
			list = append(list, a)
		}
		got := diff.Markdown(diff.Compare(list), diff.MarkdownOptions{Limit: limit, Link: "https://x.example/" + name})
		checkMarkdown(t, got, limit)
		checkHTML(t, render(t, got))
	})
}

func FuzzMask(f *testing.F) {
	for i := range len(hidingPlaces) {
		f.Add("", "", uint8(i))
		f.Add("x=", "\n-----END PRIVATE KEY-----", uint8(i))
		f.Add("https://a:b@c/", "@host", uint8(i))
		f.Add("password: \"", "\\\"", uint8(i))
		f.Add("token=x ", " -----BEGIN PRIVATE KEY-----", uint8(i))
	}
	f.Fuzz(func(t *testing.T, pre, post string, which uint8) {
		if strings.Contains(pre+post, "CaNaRy") {
			return
		}
		places := slices.Sorted(maps.Keys(hidingPlaces))
		place := places[int(which)%len(places)]
		hide := hidingPlaces[place]
		old, head := hide(pre, canary, post), hide(post, canary+"2", pre)
		checkHidden(t, place+" changed", diff.Compare(app(old, head)))
		checkHidden(t, place+" added", diff.Compare([]diff.App{{Name: "app", Head: []object.Object{head}}}))
	})
}

// anyValue draws values that look enough like Kubernetes objects to reach every rule, with texts that try to break out.
func anyValue(depth int) *rapid.Generator[any] {
	scalars := []any{
		nil, true, int64(0), int64(80), 0.5, "", "80", "500m", "0.5", "a", "b", "x:1", "x:latest", "one\ntwo\n", "one\n2\n3", "```\n</details>\n/merge",
		"https://u:p@h/", "@all", "|", "\xff", "\u202e", "-----BEGIN KEY-----", "⟨known after deploy: ${a.b}⟩",
	}
	keys := []string{
		"apiVersion", "kind", "metadata", "name", "namespace", "labels", "spec", "containers", "initContainers", "image", "env", "value", "ports",
		"containerPort", "port", "protocol", "replicas", "resources", "limits", "cpu", "data", "stringData", "password", "args", "selector", "tag", "id",
		"finalizers", "immutable", "storage", "a.b/c", "`</summary>", "",
	}
	return rapid.Custom(func(t *rapid.T) any {
		shape := rapid.IntRange(0, 3).Draw(t, "shape")
		switch {
		case depth == 0 || shape == 0:
			return rapid.SampledFrom(scalars).Draw(t, "scalar")
		case shape == 1:
			return append([]any{}, rapid.SliceOfN(anyValue(depth-1), 0, 4).Draw(t, "list")...)
		default:
			return rapid.MapOfN(rapid.SampledFrom(keys), anyValue(depth-1), 0, 6).Draw(t, "map")
		}
	})
}

func anyObject(t *rapid.T, label string) object.Object {
	kinds := []string{"v1 ConfigMap", "v1 Secret", "v1 Service", "v1 PersistentVolumeClaim", "apps/v1 Deployment", "apps/v1 StatefulSet", "x.example/v1 X"}
	apiVersion, kind, _ := strings.Cut(rapid.SampledFrom(kinds).Draw(t, label+" kind"), " ")
	o := manifest(apiVersion, kind, rapid.SampledFrom([]string{"a", "b"}).Draw(t, label+" name"), nil)
	for _, key := range []string{"spec", "data", "immutable", "metadata"} {
		if rapid.Bool().Draw(t, label+" has "+key) && key != "metadata" {
			o.Fields[key] = anyValue(5).Draw(t, label+" "+key)
		}
	}
	return o
}

func TestAnyObjects(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var base, head []object.Object
		for i := range rapid.IntRange(0, 4).Draw(rt, "objects") {
			base = append(base, anyObject(rt, fmt.Sprint("base ", i)))
			head = append(head, anyObject(rt, fmt.Sprint("head ", i)))
		}
		compare := func(base, head []object.Object) diff.Report {
			return diff.Compare([]diff.App{{Name: "app", Namespace: "develop", Base: base, Head: head}, {Name: "b", Base: head, Head: base}})
		}
		var copied []object.Object
		for _, o := range base {
			copied = append(copied, o.Copy())
		}
		if same := compare(base, copied); !same.Empty() {
			rt.Errorf("objects differ from themselves:\n%s", diff.Text(same, diff.TextOptions{}))
		}
		there, back := compare(base, head), compare(head, base)
		if there.Empty() != back.Empty() {
			rt.Error("there is a change in one direction only")
		}
		limit := rapid.IntRange(1, 20000).Draw(rt, "limit")
		got := diff.Markdown(there, diff.MarkdownOptions{Limit: limit, Link: "https://x.example/1"})
		checkMarkdown(t, got, limit)
		checkHTML(t, render(t, got), "@all", "/merge")
		if full := diff.Markdown(there, diff.MarkdownOptions{Limit: 1 << 20}); strings.Contains(full, "Left out, because") {
			rt.Error("something is left out without need")
		}
		if _, err := diff.JSON(there); err != nil {
			rt.Error(err)
		}
		diff.Text(there, diff.TextOptions{Width: 40})
	})
}
