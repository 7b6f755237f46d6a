package forge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

// MaxMessage is how many bytes of what a forge says are kept.
const MaxMessage = 500

// Refusal describes why an exchange came to nothing. What a status of 300 and more means is left to the adapter: Message,
// RetryAfter and Remedy are empty then.
func (c Connection) Refusal(operation string, kept *Exchange, err error) *promote.APIError {
	failed := &promote.APIError{Service: c.Service, Operation: operation, Status: kept.Status}
	switch {
	case kept.Status == 0:
		failed.Cause, failed.Remedy = err, c.noAnswerRemedy(err)
	case kept.Status >= 300:
	case malformed(err):
		failed.Message = Line(fmt.Sprintf("the answer (%q) is not the expected JSON: %v", kept.Header.Get("Content-Type"), err))
		failed.Remedy = fmt.Sprintf("check that the URL is that of %s itself, with no login page in front", c.Title)
	default:
		failed.Status, failed.Cause = 0, fmt.Errorf("the answer broke off: %w", err)
	}
	return failed
}

// malformed tells an answer that is not what it should be from one that did not arrive whole.
func malformed(err error) bool {
	if _, network := errors.AsType[net.Error](err); network || errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	_, syntax := errors.AsType[*json.SyntaxError](err)
	_, kind := errors.AsType[*json.UnmarshalTypeError](err)
	_, large := errors.AsType[*http.MaxBytesError](err)
	return syntax || kind || large || errors.Is(err, io.EOF)
}

func (c Connection) noAnswerRemedy(err error) string {
	if timedOut(err) {
		return fmt.Sprintf("%s did not answer within %s; it is tried again later", c.Title, c.Timeout)
	}
	return fmt.Sprintf("check the URL of %s, the network and its certificate", c.Title)
}

func timedOut(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// NotSent is the error of a request that would only be refused, for as long as wait.
func (c Connection) NotSent(operation string, wait time.Duration) error {
	return &promote.APIError{
		Service: c.Service, Operation: operation, Status: http.StatusTooManyRequests, RetryAfter: wait,
		Message: fmt.Sprintf("not sent, %s's limits allow it again in %s", c.Title, wait.Round(time.Second)),
		Remedy:  "it is tried again then",
	}
}

// Line makes a text of a forge one line that is not too long and holds no credential.
func Line(text string, credentials ...secret.Text) string {
	return CutBytes(withoutSecrets(strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " "), credentials), MaxMessage)
}

// Concealed keeps secrets of a request, which a forge may cite when it refuses it, out of the message.
func Concealed(err error, secrets ...secret.Text) error {
	if failed, ok := errors.AsType[*promote.APIError](err); ok {
		failed.Message = withoutSecrets(failed.Message, secrets)
	}
	return err
}

func withoutSecrets(text string, secrets []secret.Text) string {
	for _, held := range secrets {
		if held != "" {
			text = strings.ReplaceAll(text, held.Reveal(), secret.Redacted)
		}
	}
	return text
}
