package bot

import (
	"strings"
	"testing"
	"time"
)

func TestConfigIsChecked(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no repository", func(c *Config) { c.Repositories = nil }, "no repository is configured"},
		{"no hook", func(c *Config) { c.Hooks = nil }, "no webhook is configured"},
		{"a hook that verifies nothing", func(c *Config) { c.Hooks[0].Verify = nil }, `webhook "test": a unique name of one path segment, and all functions, are required`},
		{"a hook that is two path segments", func(c *Config) { c.Hooks[0].Forge = "a/b" }, `webhook "a/b"`},
		{"two hooks of one name", func(c *Config) { c.Hooks = append(c.Hooks, c.Hooks[0]) }, `webhook "test"`},
		{"a registry that verifies nothing", func(c *Config) { c.Registries = []RegistryHook{{Kind: "quay", Parse: testRegistry.Parse}} }, `registry webhook "quay": a unique kind of one path segment, and all functions, are required`},
		{"a registry that is two path segments", func(c *Config) { c.Registries = []RegistryHook{testRegistry}; c.Registries[0].Kind = "a/b" }, `registry webhook "a/b"`},
		{"two registries of one kind", func(c *Config) { c.Registries = []RegistryHook{testRegistry, testRegistry} }, `registry webhook "generic"`},
		{"no database", func(c *Config) { c.Database = "" }, "name a file"},
		{"a sweep in the past", func(c *Config) { c.Sweep = -time.Second }, "sweep is -1s"},
		{"a catch-up in the past", func(c *Config) { c.CatchUp = -time.Second }, "catch-up is -1s"},
		{"a repository of a forge without webhook", func(c *Config) { c.Repositories[0].Forge = "other" }, `repository "app": there is no webhook "other"`},
		{"no log", func(c *Config) { c.Log = nil }, "required"},
		{"a repository without a project", func(c *Config) { c.Repositories[0].Project = "" }, `repository "app": name, project and runner are required`},
		{"a repository without a runner", func(c *Config) { c.Repositories[0].Runner = nil }, `repository "app": name, project and runner are required`},
		{"a repository twice", func(c *Config) { c.Repositories = append(c.Repositories, c.Repositories[0]) }, `repository "app" is configured twice: remove one`},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := testConfig(":memory:", map[string]Runner{"app": idle})
			cfg.Hooks = []Hook{testHook}
			test.change(&cfg)
			if _, err := New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
