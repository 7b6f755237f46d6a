package discover

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/lockkeeper/lockkeeper/internal/outbound"
	"github.com/lockkeeper/lockkeeper/promote"
)

// refusal words what a registry refused. Of the answer only the status and the well-known error codes are told: what else
// a registry writes may repeat what it was sent.
func refusal(req request, err error) error {
	registry := req.repo.RegistryStr()
	if registry == name.DefaultRegistry {
		registry = dockerHub
	}
	out := &promote.APIError{Service: "registry " + registry, Operation: req.operation}
	if limited, ok := errors.AsType[*limitedError](err); ok {
		out.Status, out.RetryAfter = http.StatusTooManyRequests, limited.after
		out.Message = fmt.Sprintf("too many requests; it is left alone for %s, until %s", limited.after.Round(time.Second), limited.until.UTC().Format("15:04:05 MST"))
		out.Remedy = "nothing needs to be done; credentials or a longer interval of the Warehouse raise the limit"
		return out
	}
	refused, ok := errors.AsType[*ggcr.Error](err)
	if !ok {
		network, inner := innermost(err)
		if errors.Is(inner, outbound.ErrDenied) { // asking again does not help, and the error says what does
			return fmt.Errorf("registry %s: %s: %w", registry, req.operation, inner)
		}
		if !network {
			return fmt.Errorf("registry %s: %s: unusable answer: %w", registry, req.operation, inner)
		}
		out.Cause, out.Remedy = inner, networkRemedy(err, registry)
		return out
	}
	out.Status, out.Message = refused.StatusCode, codes(refused)
	switch {
	case out.Status == http.StatusUnauthorized || out.Status == http.StatusForbidden:
		out.Remedy = fmt.Sprintf("check the repository's name, and give Lockkeeper credentials for %s that may pull it", registry)
	case out.Status == http.StatusNotFound:
		out.Remedy = "correct the repository's name, or push its first image"
	case out.Status >= http.StatusInternalServerError:
		out.Remedy = "the registry has a problem of its own; it is asked again later"
	}
	return out
}

var errorCode = regexp.MustCompile(`^[A-Z_]{1,40}$`)

// codes lists the error codes of an answer, or the name of its status.
func codes(refused *ggcr.Error) string {
	var out []string
	for _, d := range refused.Errors {
		if code := string(d.Code); errorCode.MatchString(code) && !slices.Contains(out, code) && len(out) < 5 {
			out = append(out, code)
		}
	}
	if len(out) == 0 {
		return http.StatusText(refused.StatusCode)
	}
	return strings.Join(out, ", ")
}

// innermost leaves out the URL of the request, which is told as the operation and may hold more than is meant to be seen.
// network is false when an answer came and was not understood.
func innermost(err error) (network bool, inner error) {
	network = errors.Is(err, errTimeout)
	for {
		outer, ok := errors.AsType[*url.Error](err)
		if !ok {
			return network, err
		}
		err, network = outer.Err, true
	}
}

func networkRemedy(err error, registry string) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "add the registry's certificate authority to the system's, or set insecureSkipTLSVerify: true"
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return "correct the name of the registry in repoURL"
	}
	_, network := errors.AsType[net.Error](err)
	if network || errors.Is(err, errTimeout) {
		return fmt.Sprintf("check that %s can be reached from here; it is asked again later", registry)
	}
	return ""
}
