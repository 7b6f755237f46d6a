package kustomize

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

func TestParseElsewhere(t *testing.T) {
	for _, c := range []struct{ entry, want string }{
		{"https://github.com/acme/bases//web?ref=v1.0.0", "repository https://github.com/acme/bases v1.0.0 web"},
		{"https://github.com/acme/bases//web/dev/?ref=v1&timeout=90s", "repository https://github.com/acme/bases v1 web/dev"},
		{"https://github.com/acme/bases?ref=v1", "repository https://github.com/acme/bases v1 "},
		{"github.com/acme/bases", "repository https://github.com/acme/bases  "},
		{"github.com/acme/bases/web?version=v2", "repository https://github.com/acme/bases v2 web"},
		{"git@github.com:acme/bases.git//web?ref=v1", "repository git@github.com:acme/bases.git v1 web"},
		{"git@github.com:acme/bases/web", "repository git@github.com:acme/bases  web"},
		{"ssh://git@example.com/acme/bases.git/web?ref=v1", "repository ssh://git@example.com/acme/bases.git v1 web"},
		{"git::https://example.com/acme/bases.git//web", "repository https://example.com/acme/bases.git  web"},
		{"https://example.com/group/sub/bases.git?ref=main", "repository https://example.com/group/sub/bases.git main "},
		{"https://raw.githubusercontent.com/acme/bases/v1/install.yaml", "file https://raw.githubusercontent.com/acme/bases/v1/install.yaml  install.yaml"},
		{"https://github.com/acme/app/releases/download/v1/install.yml", "file https://github.com/acme/app/releases/download/v1/install.yml  install.yml"},
		{"https://github.com/acme/bases//../../etc?ref=v1", "repository https://github.com/acme/bases v1 etc"},
		{"https://example.com/a%2fb/c", "none"},
		{"https://example.com/install", "none"},
	} {
		got := "none"
		if what, inside, ok := parseElsewhere(c.entry); ok {
			got = fmt.Sprintf("%s %s %s %s", what.Kind, what.URL, what.Version, inside)
		}
		if got != c.want {
			t.Errorf("%s is %q, want %q", c.entry, got, c.want)
		}
	}
}

// A base from elsewhere may have bases of its own, in its tree and elsewhere.
func TestBasesOfBases(t *testing.T) {
	repositories := map[string]fs.FS{
		"https://example.com/a/one.git": fstest.MapFS{
			"dev/kustomization.yaml":  {Data: []byte("resources: [../base, 'https://example.com/a/two.git//x']\nnamePrefix: dev-\n")},
			"base/kustomization.yaml": {Data: []byte("resources: [map.yaml]\n")},
			"base/map.yaml":           {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n")},
		},
		"https://example.com/a/two.git":     fstest.MapFS{"x/kustomization.yaml": {Data: []byte("configMapGenerator: [{name: two, literals: [a=b], options: {disableNameSuffixHash: true}}]\n")}},
		"https://example.com/a/endless.git": fstest.MapFS{"kustomization.yaml": {Data: []byte("resources: ['https://example.com/a/endless.git?ref=x']\n")}},
	}
	asked := map[string]int{}
	request := func(base string) Request {
		return Request{
			Files: fstest.MapFS{"k/kustomization.yaml": {Data: []byte("resources: ['" + base + "']\nnamespace: shop\n")}}, Dir: "k",
			Fetch: func(what Elsewhere) (fs.FS, error) {
				asked[what.URL]++
				if tree, ok := repositories[what.URL]; ok {
					return tree, nil
				}
				return nil, fmt.Errorf("no %s", what.URL)
			},
		}
	}
	out, err := Build(t.Context(), request("https://example.com/a/one.git//dev"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range out.Resources {
		names = append(names, r.Namespace+"/"+r.Name)
	}
	if got := strings.Join(names, " "); got != "shop/dev-one shop/dev-two" || strings.Join(out.Inputs, " ") != "k/kustomization.yaml" {
		t.Errorf("resources %s, inputs %v", got, out.Inputs)
	}
	if _, err := Build(t.Context(), request("https://example.com/a/endless.git")); err == nil {
		t.Error("a base of itself was built")
	}
	if asked["https://example.com/a/endless.git"] > maxElsewhere {
		t.Errorf("asked %v", asked)
	}
	if _, err := Build(t.Context(), request("https://example.com/a/none.git")); err == nil || !strings.Contains(err.Error(), "no https://example.com/a/none.git") {
		t.Errorf("error %v", err)
	}
}
