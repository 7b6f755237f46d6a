package outbound

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func policy(t *testing.T, allow ...string) Policy {
	t.Helper()
	p, err := ParsePolicy(allow)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		name    string
		address string
		allow   []string
		denied  bool
	}{
		{"the internet", "203.0.113.7", nil, false},
		{"a private network, such as the cluster's", "10.1.2.3", nil, false},
		{"a private network of IPv6", "fd12::1", nil, false},
		{"loopback", "127.0.0.1", nil, true},
		{"all of loopback", "127.8.9.10", nil, true},
		{"loopback of IPv6", "::1", nil, true},
		{"loopback mapped into IPv6", "::ffff:127.0.0.1", nil, true},
		{"loopback behind NAT64", "64:ff9b::7f00:1", nil, true},
		{"loopback behind 6to4", "2002:7f00:1::", nil, true},
		{"loopback as a compatible address", "::7f00:1", nil, true},
		{"the metadata service of most clouds", "169.254.169.254", nil, true},
		{"the metadata service mapped into IPv6", "::ffff:169.254.169.254", nil, true},
		{"the metadata service of AWS over IPv6", "fd00:ec2::254", nil, true},
		{"the wire server of Azure", "168.63.129.16", nil, true},
		{"link-local of IPv6 with a zone", "fe80::1%eth0", nil, true},
		{"unspecified", "0.0.0.0", nil, true},
		{"this network", "0.1.2.3", nil, true},
		{"unspecified of IPv6", "::", nil, true},
		{"multicast", "224.0.0.1", nil, true},
		{"broadcast", "255.255.255.255", nil, true},
		{"an allowed address", "127.0.0.1", []string{"127.0.0.1"}, false},
		{"an allowed address in IPv6", "::ffff:127.0.0.1", []string{"127.0.0.1"}, false},
		{"an allowed network", "127.0.0.9", []string{"127.0.0.0/8"}, false},
		{"beside an allowed network", "169.254.1.1", []string{"127.0.0.0/8"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := policy(t, test.allow...).judge(netip.MustParseAddr(test.address))
			if got := errors.Is(err, ErrDenied); got != test.denied {
				t.Errorf("denied is %t, want %t: %v", got, test.denied, err)
			}
		})
	}
}

func TestParsePolicyRefuses(t *testing.T) {
	for _, entry := range []string{"", "https://host", "host:8080", "10.0.0.0/99", "a b", "*.example.com"} {
		if _, err := ParsePolicy([]string{entry}); err == nil {
			t.Errorf("%q was accepted", entry)
		}
	}
}

// hello is a server on 127.0.0.1 that counts its requests.
func hello(t *testing.T) (server *httptest.Server, asked *int) {
	t.Helper()
	asked = new(int)
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		*asked++
		_, _ = io.WriteString(w, "hello")
	}))
	t.Cleanup(server.Close)
	return server, asked
}

func get(t *testing.T, client *http.Client, target string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func TestANameIsJudgedByWhatItResolvesTo(t *testing.T) {
	server, asked := hello(t)
	byName := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	client := NewHTTPClient(Policy{}, Options{})
	for _, target := range []string{server.URL, byName} {
		if err := get(t, client, target); !errors.Is(err, ErrDenied) {
			t.Errorf("%s: got %v, want a denial", target, err)
		}
	}
	if *asked != 0 {
		t.Errorf("%d requests arrived", *asked)
	}
	if err := get(t, NewHTTPClient(policy(t, "localhost"), Options{}), byName); err != nil {
		t.Errorf("an allowed name: %v", err)
	}
	if err := get(t, NewHTTPClient(policy(t, "localhost"), Options{}), server.URL); !errors.Is(err, ErrDenied) {
		t.Errorf("the address of an allowed name: got %v, want a denial", err)
	}
}

func TestAnAddressIsJudgedBeforeAProxyGetsIt(t *testing.T) {
	proxy, asked := hello(t)
	parsed, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := NewHTTPClient(policy(t, "127.0.0.1"), Options{Proxy: parsed})
	if err := get(t, client, "http://169.254.169.254/latest"); !errors.Is(err, ErrDenied) {
		t.Errorf("got %v, want a denial", err)
	}
	if err := get(t, client, "http://example.com/"); err != nil {
		t.Error(err)
	}
	if *asked != 1 {
		t.Errorf("the proxy got %d requests, want 1", *asked)
	}
}

func TestRedirects(t *testing.T) {
	var got http.Header
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() }))
	defer other.Close()
	var target string
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target, http.StatusTemporaryRedirect)
	}))
	defer first.Close()
	for _, test := range []struct {
		name, method, target string
		fails                bool
	}{
		{"a read goes elsewhere, its headers do not", http.MethodGet, other.URL, false},
		{"a write goes nowhere else", http.MethodPost, other.URL, true},
		{"a redirect in a circle ends", http.MethodGet, first.URL, true},
		{"a redirect to a denied address is denied", http.MethodGet, "http://169.254.169.254/", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, target = nil, test.target
			request, err := http.NewRequestWithContext(t.Context(), test.method, first.URL, strings.NewReader(""))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer x")
			request.Header.Set("X-Api-Key", "x")
			request.Header.Set("Accept", "application/json")
			response, err := NewHTTPClient(policy(t, "127.0.0.1"), Options{}).Do(request)
			if err == nil {
				err = response.Body.Close()
			}
			if (err != nil) != test.fails {
				t.Fatalf("got %v", err)
			}
			if got.Get("Authorization")+got.Get("X-Api-Key") != "" {
				t.Errorf("another host got %v", got)
			}
			if !test.fails && got.Get("Accept") != "application/json" {
				t.Errorf("Accept is %q", got.Get("Accept"))
			}
		})
	}
}

func TestACertificateIsVerifiedUnlessTheTaskSaysOtherwise(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	allowed := policy(t, "127.0.0.1")
	if err := get(t, NewHTTPClient(allowed, Options{}), server.URL); err == nil {
		t.Error("an unknown certificate was accepted")
	}
	if err := get(t, NewHTTPClient(allowed, Options{InsecureSkipTLSVerify: true}), server.URL); err != nil {
		t.Error(err)
	}
}

func FuzzParsePolicy(f *testing.F) {
	for _, seed := range []string{"localhost", "127.0.0.1", "::1", "10.0.0.0/8", "fe80::1%eth0", "a/b", "EXAMPLE.com."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		p, err := ParsePolicy([]string{entry})
		if err == nil && len(p.hosts)+len(p.prefixes) != 1 {
			t.Errorf("%q became %+v", entry, p)
		}
	})
}
