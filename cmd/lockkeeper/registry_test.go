package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRegistryHooks(t *testing.T) {
	variables := map[string]string{"TOKENS": "0123456789abcdef-1, 0123456789abcdef-2", "SHORT": "s3cret", "EMPTY": " , "}
	for _, tt := range []struct {
		name       string
		configured []registryWebhookConfig
		want       []string // kinds
		err        string
	}{
		{name: "none is configured"},
		{
			name: "every kind takes what it can show",
			configured: []registryWebhookConfig{
				{Kind: "dockerhub", TokenEnv: "TOKENS"}, {Kind: "github", SecretEnv: "TOKENS"}, {Kind: "generic", SecretEnv: "TOKENS", TokenEnv: "TOKENS"},
			},
			want: []string{"dockerhub", "github", "generic"},
		},
		{
			name: "a kind twice", configured: []registryWebhookConfig{{Kind: "quay", TokenEnv: "TOKENS"}, {Kind: "quay", TokenEnv: "TOKENS"}},
			err: `registryWebhooks[1]: kind "quay" stands twice`,
		},
		{name: "a variable that is not set", configured: []registryWebhookConfig{{Kind: "harbor", TokenEnv: "TOKEN"}}, err: `registryWebhooks[0]: tokenEnv names "TOKEN", and no such variable is set`},
		{name: "a variable that holds nothing", configured: []registryWebhookConfig{{Kind: "github", SecretEnv: "EMPTY"}}, err: `secretEnv names "EMPTY"`},
		{name: "no variable", configured: []registryWebhookConfig{{Kind: "harbor"}}, err: "harbor has no credential"},
		{name: "a secret of who does not sign", configured: []registryWebhookConfig{{Kind: "harbor", SecretEnv: "TOKENS"}}, err: "harbor does not sign: give it a token (secretEnv names"},
		{name: "a kind that is not known", configured: []registryWebhookConfig{{Kind: "ecr", TokenEnv: "TOKENS"}}, err: `kind "ecr" is not known: expected one of [dockerhub quay github gitlab harbor distribution generic]`},
		{name: "a secret that can be guessed", configured: []registryWebhookConfig{{Kind: "quay", TokenEnv: "SHORT"}}, err: "fewer than 16 characters"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hooks, err := registryHooks(tt.configured, func(name string) string { return variables[name] })
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) || tt.err == "" && err != nil {
				t.Fatalf("got %v, want an error with %q", err, tt.err)
			}
			var kinds []string
			for _, hook := range hooks {
				kinds = append(kinds, hook.Kind)
			}
			if diff := cmp.Diff(tt.want, kinds); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if err != nil && (strings.Contains(err.Error(), "0123456789abcdef") || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("%v shows a secret", err)
			}
		})
	}
}
