package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/lockkeeper/lockkeeper/bot"
	"github.com/lockkeeper/lockkeeper/internal/registryhook"
	"github.com/lockkeeper/lockkeeper/internal/secret"
)

// registryHooks wires the configured webhooks of registries with the secrets that the environment holds for them.
func registryHooks(configured []registryWebhookConfig, getenv func(string) string) ([]bot.RegistryHook, error) {
	var hooks []bot.RegistryHook
	seen := map[string]bool{}
	for i, c := range configured {
		if seen[c.Kind] {
			return nil, fmt.Errorf("configuration: registryWebhooks[%d]: kind %q stands twice: give one variable several secrets, separated by commas", i, c.Kind)
		}
		seen[c.Kind] = true
		hook, err := registryHook(c, getenv)
		if err != nil {
			return nil, fmt.Errorf("configuration: registryWebhooks[%d]: %w", i, err)
		}
		hooks = append(hooks, hook)
	}
	return hooks, nil
}

func registryHook(c registryWebhookConfig, getenv func(string) string) (bot.RegistryHook, error) {
	keys, err := listed("secretEnv", c.SecretEnv, getenv)
	if err != nil {
		return bot.RegistryHook{}, err
	}
	tokens, err := listed("tokenEnv", c.TokenEnv, getenv)
	if err != nil {
		return bot.RegistryHook{}, err
	}
	hook, err := registryhook.New(registryhook.Kind(c.Kind), registryhook.Credentials{Keys: keys, Tokens: tokens})
	if err != nil {
		return bot.RegistryHook{}, fmt.Errorf("%w (secretEnv names the variable of a secret that signs, tokenEnv that of a token)", err)
	}
	return bot.RegistryHook{
		Kind: c.Kind, TokenInPath: hook.TokenInPath(), Verify: hook.Verify,
		Parse: func(header http.Header, body []byte) (string, []string, error) {
			delivery, err := hook.Parse(header, body)
			if errors.Is(err, registryhook.ErrIgnored) {
				err = fmt.Errorf("%w: %w", bot.ErrIgnored, err)
			}
			return delivery.ID, delivery.Repositories, err
		},
	}, nil
}

// listed reads the secrets in the variable that a key of the configuration names.
func listed(key, variable string, getenv func(string) string) ([]secret.Text, error) {
	if variable == "" {
		return nil, nil
	}
	var secrets []secret.Text
	for text := range strings.SplitSeq(getenv(variable), ",") {
		if text = strings.TrimSpace(text); text != "" {
			secrets = append(secrets, secret.Text(text))
		}
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("%s names %q, and no such variable is set: set it, or correct the name", key, variable)
	}
	return secrets, nil
}
