package bot

import (
	"context"
	"errors"
	"net/http"

	"github.com/lockkeeper/lockkeeper/promote"
)

// maxNames is how many repositories a delivery may name one by one: for more of them everything is looked at, which is one
// event.
const maxNames = 10

// pattern is the path of the hook's endpoint.
func (h RegistryHook) pattern() string {
	path := "/webhooks/" + h.Kind
	if h.TokenInPath {
		path += "/{token}"
	}
	return path
}

// registry takes the webhooks of a registry.
func (b *Bot) registry(hook RegistryHook) sender {
	return sender{
		name:   "registry/" + hook.Kind,
		verify: func(r *http.Request, body []byte) error { return hook.Verify(r.Header, r.PathValue("token"), body) },
		receive: func(ctx context.Context, header http.Header, body []byte) answer {
			return b.announce(ctx, header, body, hook)
		},
	}
}

// announce stores an event for every repository and everything that an authentic delivery names. Without an ID of the sender
// a delivery is none that could come twice: the same tag may be pushed again with the same body. Then events that are equal
// and wait are one.
func (b *Bot) announce(ctx context.Context, header http.Header, body []byte, hook RegistryHook) answer {
	delivery, names, err := hook.Parse(header, body)
	switch {
	case errors.Is(err, ErrIgnored):
		return ignored
	case err != nil:
		b.Log.WarnContext(ctx, "webhook not understood", "forge", "registry/"+hook.Kind, "error", err)
		return notUnderstood
	}
	if len(names) > maxNames {
		names = []string{""}
	}
	got := ignored
	for _, repository := range b.Repositories {
		for _, name := range names {
			event := promote.Event{Kind: promote.EventArtifact, Image: name}
			if delivery != "" {
				event.Delivery = delivery + "/" + name
			}
			if got = b.keep(ctx, arrival{repository: repository.Name, event: event}, got); got == notStored {
				return got
			}
		}
	}
	return got
}
