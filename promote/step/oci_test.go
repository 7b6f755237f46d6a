package step

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// shelf is a registry of layers.
type shelf map[string]string

func (s shelf) Layer(_ context.Context, ref string, options RegistryOptions, limit int64) ([]byte, string, error) {
	data, ok := s[ref+options.MediaType]
	if !ok || int64(len(data)) > limit {
		return nil, "", errors.New("MANIFEST_UNKNOWN")
	}
	return []byte(data), "sha256:aa", nil
}

func (s shelf) Copy(_ context.Context, from, to string, options RegistryOptions) (Copied, error) {
	if _, ok := s[from]; !ok {
		return Copied{}, errors.New("MANIFEST_UNKNOWN")
	}
	return Copied{Image: to, Digest: fmt.Sprintf("sha256:%d", len(options.Annotations)), Tag: "1"}, nil
}

func TestOCI(t *testing.T) {
	world := World{Registry: shelf{"r/a:1": "first", "r/a:1text/plain": "second"}}
	const use = `
- {uses: yaml-parse, as: read, config: {path: ./a, outputs: [{name: v, fromExpression: v}]}}`
	for _, test := range []struct {
		name  string
		steps string
		want  string
		fails string
	}{
		{"a layer", `- {uses: oci-download, as: get, config: {imageRef: "r/a:1", outPath: ./a}}`, `{"digest":"sha256:aa"}`, ""},
		{"a layer of a media type", `- {uses: oci-download, as: get, config: {imageRef: "r/a:1", outPath: ./a, mediaType: text/plain}}`, `{"digest":"sha256:aa"}`, ""},
		{
			"not over another one", `
- {uses: oci-download, as: get, config: {imageRef: "r/a:1", outPath: ./a}}
- {uses: oci-download, as: again, config: {imageRef: "r/a:1", outPath: ./a}}`, "", "is there already",
		},
		{"what is not there", `- {uses: oci-download, as: get, config: {imageRef: "r/a:2", outPath: ./a}}`, "", "MANIFEST_UNKNOWN"},
		{"nothing named", `- {uses: oci-download, as: get, config: {outPath: ./a}}`, "", "config.imageRef is missing"},
		{"nowhere to put it", `- {uses: oci-download, as: get, config: {imageRef: "r/a:1"}}`, "", "config.outPath is missing"},
		{"a copy", `- {uses: oci-push, as: put, config: {srcRef: "r/a:1", destRef: "r/b:1", annotations: {a: 1, b: x}}}`, `{"digest":"sha256:2","image":"r/b:1","tag":"1"}`, ""},
		{"a copy of nothing", `- {uses: oci-push, as: put, config: {destRef: "r/b:1"}}`, "", "config.srcRef is missing"},
		{"a copy to nowhere", `- {uses: oci-push, as: put, config: {srcRef: "r/a:1"}}`, "", "config.destRef is missing"},
		{"a copy that fails", `- {uses: oci-push, as: put, config: {srcRef: "r/c:1", destRef: "r/b:1"}}`, "", "MANIFEST_UNKNOWN"},
	} {
		t.Run(test.name, func(t *testing.T) {
			result, _ := finish(t, alone(t, world, test.steps))
			if result.Failed != (test.fails != "") || !strings.Contains(result.Message, test.fails) {
				t.Fatalf("%q, want %q", result.Message, test.fails)
			}
			if got := output(t, result); test.fails == "" && got != test.want {
				t.Errorf("output %s, want %s", got, test.want)
			}
		})
	}
	if result, _ := finish(t, alone(t, World{Registry: shelf{"r/a:1": "v: 7"}}, `- {uses: oci-download, as: get, config: {imageRef: "r/a:1", outPath: ./a}}`+use)); output(t, result) != `{"v":7}` {
		t.Errorf("a later step reads %s: %s", output(t, result), result.Message)
	}
}
