package manifest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

type sample struct {
	Envelope
	Spec struct {
		Policies []policy            `json:"promotionPolicies"`
		Text     string              `json:"text"`
		Count    int32               `json:"count"`
		Ratio    float64             `json:"ratio"`
		On       bool                `json:"on"`
		Pointer  *int                `json:"pointer"`
		Map      map[string]string   `json:"map"`
		Deep     map[string][]policy `json:"deep"`
		Free     any                 `json:"free"`
		Node     yaml.Node           `json:"node"`
		Raw      json.RawMessage     `json:"raw"`
		Wait     time.Duration       `yaml:"wait"`
		When     time.Time           `json:"when"`
		Hidden   string              `json:"-"`
	} `json:"spec"`
}

type policy struct {
	Stage string `json:"stage"`
	Auto  bool   `json:"autoPromotionEnabled"`
}

func decodeSample(t *testing.T, spec string) (sample, error) {
	t.Helper()
	docs, err := Split("p.yaml", []byte("kind: X\nspec:\n"+spec))
	if err != nil {
		t.Fatal(err)
	}
	var s sample
	return s, Decode(docs[0], &s)
}

func TestDecodeErrors(t *testing.T) {
	tests := []struct {
		name string
		spec string
		want string
	}{
		{"an unknown key names the nearest", "  promotionPolicy: []\n", `p.yaml:3:3: unknown key "promotionPolicy" in spec; did you mean "promotionPolicies"?`},
		{"an unknown key in a list", "  promotionPolicies:\n  - stag: x\n", `p.yaml:4:5: unknown key "stag" in spec.promotionPolicies[0]; did you mean "stage"?`},
		{"an unknown key near nothing lists the known ones", "  promotionPolicies: [{zebra: x}]\n", `p.yaml:3:24: unknown key "zebra" in spec.promotionPolicies[0]; known keys are stage, autoPromotionEnabled`},
		{"a number is no string", "  text: 1.27\n", `p.yaml:3:9: value 1.27 of spec.text is a number, not a string; add quotes: "1.27"`},
		{"a YAML 1.1 boolean is no string", "  text: yes\n", `p.yaml:3:9: value "yes" of spec.text is a boolean, not a string; add quotes: "yes"`},
		{"a string is no number", "  count: \"3\"\n", `p.yaml:3:10: value "3" of spec.count is a string, not a whole number`},
		{"a number beyond its type", "  count: 99999999999\n", `p.yaml:3:10: value 99999999999 of spec.count is a number, not a whole number`},
		{"a mapping is no string", "  text: {a: b}\n", `p.yaml:3:9: value {…} of spec.text is a mapping, not a string`},
		{"a string is no list", "  promotionPolicies: x\n", `p.yaml:3:22: value "x" of spec.promotionPolicies is a string, not a list`},
		{"a list is no mapping", "  map: [a]\n", `p.yaml:3:8: value […] of spec.map is a list, not a mapping`},
		{"a string is no boolean", "  on: maybe\n", `p.yaml:3:7: value "maybe" of spec.on is a string, not true or false`},
		{"a key that stands twice", "  count: 1\n  count: 2\n", `p.yaml:4:3: key "count" stands twice in spec, first in line 3; remove one of them`},
		{"a key that stands twice in free values", "  free: {a: 1, a: 2}\n", `p.yaml:3:16: key "a" stands twice in spec.free, first in line 3; remove one of them`},
		{"a duration", "  wait: soon\n", `p.yaml:3:9: value "soon" of spec.wait is a string, not a duration such as "1h30m"`},
		{"a time", "  when: soon\n", `p.yaml:3:9: value "soon" of spec.when: parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"`},
		{"all problems are reported", "  on: 3\n  texd: x\n", "p.yaml:3:7: value 3 of spec.on is a number, not true or false\n" + `p.yaml:4:3: unknown key "texd" in spec; did you mean "text"?`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := decodeSample(t, test.spec)
			if diff := cmp.Diff(test.want, errorText(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	s, err := decodeSample(t, `  promotionPolicies: &p
  - {stage: frontend-dev-stage, autoPromotionEnabled: yes}
  text: "1.10"
  count: 3
  ratio: 2
  on: true
  pointer: 7
  map: {a: b, <<: {a: x, c: d}}
  deep: {k: *p}
  free: {i: 1, f: 1.5, s: [a, null, on], b: false}
  node: {keep: me}
  raw: {a: [1]}
  wait: 1h30m
  when: 2025-05-14T11:10:32Z
status: {whatever: true}
metadata: {name: app, uid: u, creationTimestamp: null}
`)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{
		"policies": s.Spec.Policies, "text": s.Spec.Text, "count": s.Spec.Count, "ratio": s.Spec.Ratio, "on": s.Spec.On, "pointer": *s.Spec.Pointer,
		"map": s.Spec.Map, "deep": s.Spec.Deep["k"][0].Stage, "free": s.Spec.Free, "node": s.Spec.Node.Content[1].Value, "raw": string(s.Spec.Raw),
		"wait": s.Spec.Wait, "when": s.Spec.When.Unix(), "name": s.Metadata.Name, "kind": s.Kind,
	}
	want := map[string]any{
		"policies": []policy{{"frontend-dev-stage", true}}, "text": "1.10", "count": int32(3), "ratio": 2.0, "on": true, "pointer": 7,
		"map": map[string]string{"a": "b", "c": "d"}, "deep": "frontend-dev-stage",
		"free": map[string]any{"i": int64(1), "f": 1.5, "s": []any{"a", nil, true}, "b": false}, "node": "me", "raw": `{"a":[1]}`,
		"wait": 90 * time.Minute, "when": int64(1747221032), "name": "app", "kind": "X",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestDecodeKnownPassesOverUnknownKeys(t *testing.T) {
	docs, err := Split("p.yaml", []byte("spec: {text: a, other: b}\nmore: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	var s sample
	if err := DecodeKnown(docs[0], &s); err != nil || s.Spec.Text != "a" {
		t.Errorf("got %q, %v", s.Spec.Text, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("spec: {text: a, count: 1, free: {x: [1]}, wait: 1s, raw: .nan}"))
	f.Add([]byte("spec: &a {map: {x: y}, <<: {text: 3}}\nmetadata: {labels: {a: 1}}"))
	f.Add([]byte("spec: {when: 2001-01-01, pointer: 0x7f, on: off, deep: {a: [{stage: ~}]}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, _ := Split("f.yaml", data)
		for _, d := range docs {
			var s sample
			err := Decode(d, &s)
			for _, e := range Errors(err) {
				if e.Line < d.Line || !strings.HasPrefix(e.Error(), "f.yaml:") {
					t.Errorf("problem without its place: %v", e)
				}
			}
			if err == nil {
				if _, jsonErr := json.Marshal(s.Spec.Free); jsonErr != nil {
					t.Errorf("free value is no JSON: %v", jsonErr)
				}
			}
		}
	})
}
