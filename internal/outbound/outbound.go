// Package outbound makes HTTP clients for requests whose target somebody else wrote: the tasks and warehouses of a repository, its
// sources, and what their servers name in turn. It owns where they may connect. An address is judged when it is dialled, after its name was resolved, so that a name which means something
// else the second time gains nothing. What is asked there, and how often, is not its matter.
//
// Forbidden are the addresses behind which only the server itself and its cloud answer: loopback, link-local, multicast,
// unspecified and metadata addresses, also inside of IPv6. Private networks are allowed: the cluster is one. Behind a proxy it is
// the proxy that resolves names, and so decides; addresses that are written out are judged before it gets them.
package outbound

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ErrDenied says that the policy forbids to connect there.
var ErrDenied = errors.New("the server does not connect there for a repository")

// Policy says where a client may connect beside what everybody may. The zero value allows nothing more.
type Policy struct {
	hosts    []string // lower case
	prefixes []netip.Prefix
}

// ParsePolicy reads what a configuration allows: host names, addresses and CIDRs.
func ParsePolicy(allow []string) (Policy, error) {
	var p Policy
	for _, entry := range allow {
		switch prefix, err := netip.ParsePrefix(entry); {
		case err == nil:
			p.prefixes = append(p.prefixes, prefix.Masked())
		case isHost(entry):
			p.hosts = append(p.hosts, canonical(entry))
		default:
			return Policy{}, fmt.Errorf("%q: expected a host such as localhost, an address such as 127.0.0.1, or a CIDR such as 127.0.0.0/8", entry)
		}
	}
	return p, nil
}

func isHost(entry string) bool {
	_, err := netip.ParseAddr(entry)
	return err == nil || entry != "" && !strings.ContainsAny(entry, "/:@ *?#\t\n")
}

// canonical makes the spellings of a host equal.
func canonical(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Unmap().WithZone("").String()
	}
	return host
}

// allowsHost reports whether a name or address is allowed as it is written, wherever it leads.
func (p Policy) allowsHost(host string) bool { return slices.Contains(p.hosts, canonical(host)) }

// judge says whether an address may be connected to.
func (p Policy) judge(address netip.Addr) error {
	address = address.Unmap().WithZone("")
	allowed := func(prefix netip.Prefix) bool { return prefix.Contains(address) }
	if slices.ContainsFunc(p.prefixes, allowed) || p.allowsHost(address.String()) {
		return nil
	}
	kind := forbidden(address)
	if inner, ok := embedded(address); ok && kind == "" {
		kind = forbidden(inner)
	}
	if kind == "" {
		return nil
	}
	return fmt.Errorf("%s is %s address: %w; whoever runs it can allow it with outbound.allow, or LOCKKEEPER_OUTBOUND_ALLOW of a job", address, kind, ErrDenied)
}

// metadata are the addresses of cloud metadata services that lie outside of the link-local networks: those of AWS over IPv6,
// Azure, Alibaba and Oracle.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("168.63.129.16"),
	netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("192.0.0.192"),
}

var thisNetwork, reserved = netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("240.0.0.0/4")

// forbidden names what kind of address it is that nobody may connect to; empty when everybody may.
func forbidden(address netip.Addr) string {
	switch {
	case address.IsLoopback():
		return "a loopback"
	case address.IsUnspecified(), thisNetwork.Contains(address):
		return "an unspecified"
	case address.IsLinkLocalUnicast():
		return "a link-local"
	case address.IsMulticast(), reserved.Contains(address):
		return "a multicast or reserved"
	case slices.Contains(metadata, address):
		return "a metadata"
	}
	return ""
}

// The prefixes of IPv6 that carry an IPv4 address: NAT64, 6to4, and the compatible addresses of old.
var nat64, sixToFour, compatible = netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("::/96")

// embedded returns the IPv4 address that an IPv6 address leads to.
func embedded(address netip.Addr) (netip.Addr, bool) {
	bytes := address.As16()
	switch {
	case !address.Is6():
		return netip.Addr{}, false
	case nat64.Contains(address), compatible.Contains(address):
		return netip.AddrFrom4([4]byte(bytes[12:])), true
	case sixToFour.Contains(address):
		return netip.AddrFrom4([4]byte(bytes[2:6])), true
	}
	return netip.Addr{}, false
}

// Options change how a client connects.
type Options struct {
	Proxy                 *url.URL // nil: that of the environment
	InsecureSkipTLSVerify bool     // any certificate will do
	Connections           int      // that are kept to each host by a client that is kept; 0: few, and none by one with other options
}

const (
	dialTimeout     = 10 * time.Second
	maxHeaderBytes  = 1 << 20
	maxRedirects    = 5
	idleConnections = 2
)

// NewHTTPClient returns a client that connects only where the policy allows. It follows a few redirects, and takes along
// neither what authorizes a request nor a body to another host. It has no timeout of its own: requests bring a context.
func NewHTTPClient(policy Policy, options Options) *http.Client {
	special := options.Proxy != nil || options.InsecureSkipTLSVerify
	base := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            policy.dial,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    cmp.Or(options.Connections, idleConnections),
		MaxResponseHeaderBytes: maxHeaderBytes,
		IdleConnTimeout:        time.Minute,
		TLSHandshakeTimeout:    dialTimeout,
		// A client of its own is made for each request that needs one, and must leave no connection behind.
		DisableKeepAlives: special && options.Connections == 0,
	}
	if options.Proxy != nil {
		base.Proxy = http.ProxyURL(options.Proxy)
	}
	if options.InsecureSkipTLSVerify {
		base.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the task says so
	}
	return &http.Client{Transport: &transport{policy: policy, base: base}, CheckRedirect: redirect}
}

// dial connects to a host whose address is judged after its name was resolved.
func (p Policy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: dialTimeout}
	if !p.allowsHost(host) {
		dialer.ControlContext = func(_ context.Context, _, resolved string, _ syscall.RawConn) error {
			end, err := netip.ParseAddrPort(resolved)
			if err != nil {
				return fmt.Errorf("%q: %w", resolved, ErrDenied)
			}
			return p.judge(end.Addr())
		}
	}
	conn, err := dialer.DialContext(ctx, network, address)
	if errors.Is(err, ErrDenied) {
		return nil, fmt.Errorf("connect to %s: %w", host, err)
	}
	return conn, err
}

// transport judges addresses that are written out before they are sent to a proxy, which would connect in our place.
type transport struct {
	policy Policy
	base   *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if address, err := netip.ParseAddr(r.URL.Hostname()); err == nil {
		if err := t.policy.judge(address); err != nil {
			return nil, err
		}
	}
	return t.base.RoundTrip(r)
}

// CloseIdleConnections lets http.Client.CloseIdleConnections work.
func (t *transport) CloseIdleConnections() { t.base.CloseIdleConnections() }

// redirect follows a few redirects. The standard library keeps credentials in well-known headers from other domains only, and
// knows nothing of tokens in headers that an API made up: to another host no header goes along that the task wrote.
func redirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	first := via[0]
	if r.URL.Scheme == first.URL.Scheme && r.URL.Host == first.URL.Host {
		return nil
	}
	if first.Method != http.MethodGet && first.Method != http.MethodHead {
		return fmt.Errorf("a %s was redirected to another host, %q: write that host's URL", first.Method, r.URL.Host)
	}
	accept := r.Header.Values("Accept")
	r.Header = http.Header{}
	for _, value := range accept {
		r.Header.Add("Accept", value)
	}
	return nil
}
