package step

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

type sendMessageConfig struct {
	Channel string       `json:"channel"`
	Slack   *slackConfig `json:"slack"` // another spelling of Channel
	Message string       `json:"message"`
	Title   string       `json:"title"`
}

type slackConfig struct {
	Channel string `json:"channel"`
}

const maxMessage = 16 << 10

// sendMessage sends a message to a channel of the server's configuration, once.
func (r *run) sendMessage(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg sendMessageConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	if cfg.Slack != nil && cfg.Channel == "" {
		cfg.Channel = cfg.Slack.Channel
	}
	switch {
	case cfg.Channel == "":
		return outcome{}, errors.New("config.channel is missing: name a channel of the server's configuration, messages")
	case strings.TrimSpace(cfg.Message) == "":
		return outcome{}, errors.New("config.message is missing: write what to say")
	case len(cfg.Message)+len(cfg.Title) > maxMessage:
		return outcome{}, fmt.Errorf("config.message has %d bytes, at most %d are sent", len(cfg.Message), maxMessage)
	case r.World.Messages == nil:
		return outcome{}, notConfigured("channels", "its operator can configure messages")
	}
	if known := r.World.Messages.Channels(); !slices.Contains(known, cfg.Channel) {
		return outcome{}, unknownChannel(cfg.Channel, known)
	}
	err := r.World.Messages.Send(ctx, Message{Channel: cfg.Channel, Title: cfg.Title, Text: cfg.Message, Context: r.messageContext()})
	if err != nil {
		return outcome{}, technicalError{fmt.Errorf("message to channel %q: %w", cfg.Channel, err)}
	}
	return outcome{status: promote.StepSucceeded, message: "sent to " + cfg.Channel, acted: true}, nil
}

func unknownChannel(name string, known []string) error {
	text := fmt.Sprintf("config.channel is %q, which this server does not know", name)
	if near, ok := promote.Nearest(name, known); ok {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return errors.New(text + " its channels are " + limited(known, 10))
}

func (r *run) messageContext() MessageContext {
	return MessageContext{
		Project: r.Promotion.Stage.Project, Stage: r.Promotion.Stage.Name, Promotion: string(r.Promotion.ID),
		Freight: string(r.Promotion.Freight), Change: r.Change.URL,
	}
}
