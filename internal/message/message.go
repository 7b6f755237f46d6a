// Package message sends messages to the channels that a server is configured with. It owns what each kind of receiver wants to be
// sent. What is said, and when, is not its matter. A channel's URL is its password: it is shown nowhere.
package message

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/secret"
)

// Kind says what a receiver wants to be sent.
type Kind string

// The kinds of channels.
const (
	Slack   Kind = "slack"   // an incoming webhook of Slack, or of what imitates it
	Teams   Kind = "teams"   // a workflow of Microsoft Teams that posts to a channel
	Webhook Kind = "webhook" // a program: it gets title, message and context as JSON
)

// Kinds lists the kinds.
func Kinds() []Kind { return []Kind{Slack, Teams, Webhook} }

const (
	timeout      = 15 * time.Second
	maxAnswer    = 4 << 10
	maxShown     = 200
	maxSlackText = 40_000
)

// Channel is where messages go.
type Channel struct {
	Name string      // required; unique
	Kind Kind        // required
	URL  secret.Text // required
}

// Message is what is sent.
type Message struct {
	Title   string
	Text    string // required; Markdown of the receiver's dialect
	Context any    // for programs; must marshal to JSON
}

// Sender sends messages. It may be used by many goroutines at once.
type Sender struct {
	channels []Channel
	client   *http.Client
}

// New checks the channels and returns a Sender.
func New(channels []Channel, client *http.Client) (*Sender, error) {
	seen := map[string]bool{}
	for _, channel := range channels {
		target, err := url.Parse(channel.URL.Reveal())
		switch {
		case channel.Name == "":
			return nil, errors.New("a channel has no name")
		case seen[channel.Name]:
			return nil, fmt.Errorf("channel %q is there twice", channel.Name)
		case !slices.Contains(Kinds(), channel.Kind):
			return nil, fmt.Errorf("channel %q has kind %q: expected slack, teams or webhook", channel.Name, channel.Kind)
		case err != nil || target.Host == "" || target.Scheme != "https" && target.Scheme != "http":
			return nil, fmt.Errorf("channel %q: its URL is not one: expected https://host/path", channel.Name)
		}
		seen[channel.Name] = true
	}
	return &Sender{channels: channels, client: client}, nil
}

// Channels lists the names of the channels.
func (s *Sender) Channels() []string {
	names := make([]string, len(s.channels))
	for i, channel := range s.channels {
		names[i] = channel.Name
	}
	return names
}

// Send sends a message once. An error says nothing of the channel's URL.
func (s *Sender) Send(ctx context.Context, name string, message Message) error {
	i := slices.IndexFunc(s.channels, func(c Channel) bool { return c.Name == name })
	if i < 0 {
		return fmt.Errorf("there is no channel %q", name)
	}
	channel := s.channels[i]
	payload, err := json.Marshal(channel.Kind.payload(message))
	if err != nil {
		return fmt.Errorf("message: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, channel.URL.Reveal(), bytes.NewReader(payload))
	if err != nil {
		return errors.New("its URL is not one")
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err
		}
		return fmt.Errorf("no answer: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	return channel.judge(response)
}

// judge reads the answer to a message.
func (c Channel) judge(response *http.Response) error {
	said, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return nil
	}
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(said), "")), " ")
	if err != nil || text == "" || strings.HasPrefix(text, "<") {
		text = http.StatusText(response.StatusCode)
	}
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return fmt.Errorf("HTTP %d: %s", response.StatusCode, strings.ReplaceAll(text, c.URL.Reveal(), secret.Redacted))
}

// payload is a message as its receiver wants it.
func (k Kind) payload(m Message) any {
	switch k {
	case Slack:
		text := m.Text
		if m.Title != "" {
			text = "*" + m.Title + "*\n" + m.Text
		}
		if len(text) > maxSlackText {
			text = strings.ToValidUTF8(text[:maxSlackText], "")
		}
		return slackPayload{Text: text}
	case Teams:
		return newTeamsPayload(m)
	case Webhook:
	}
	return webhookPayload{Title: m.Title, Message: m.Text, Context: m.Context}
}

type slackPayload struct {
	Text string `json:"text"`
}

type webhookPayload struct {
	Title   string `json:"title,omitempty"`
	Message string `json:"message"`
	Context any    `json:"context,omitempty"`
}

// teamsPayload is an adaptive card in an attachment, as the workflows of Teams take it.
type teamsPayload struct {
	Type        string            `json:"type"`
	Attachments []teamsAttachment `json:"attachments"`
}

type teamsAttachment struct {
	ContentType string    `json:"contentType"`
	Content     teamsCard `json:"content"`
}

type teamsCard struct {
	Schema  string       `json:"$schema"`
	Type    string       `json:"type"`
	Version string       `json:"version"`
	Body    []teamsBlock `json:"body"`
}

type teamsBlock struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Wrap   bool   `json:"wrap"`
	Weight string `json:"weight,omitempty"`
	Size   string `json:"size,omitempty"`
}

func newTeamsPayload(m Message) teamsPayload {
	var body []teamsBlock
	if m.Title != "" {
		body = append(body, teamsBlock{Type: "TextBlock", Text: m.Title, Wrap: true, Weight: "Bolder", Size: "Medium"})
	}
	body = append(body, teamsBlock{Type: "TextBlock", Text: m.Text, Wrap: true})
	card := teamsCard{Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4", Body: body}
	return teamsPayload{Type: "message", Attachments: []teamsAttachment{{ContentType: "application/vnd.microsoft.card.adaptive", Content: card}}}
}
