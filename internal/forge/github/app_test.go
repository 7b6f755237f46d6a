package github

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"sync"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/secret"
)

// testKey is a key made for these tests, once: making one takes long.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(nil, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func testPEM() secret.Text {
	return secret.Text(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(testKey())}))
}

func TestAnAppSaysWhoItIs(t *testing.T) {
	signed, err := signJWT(testKey(), 17, testNow)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(signed.Reveal(), ".")
	if len(parts) != 3 {
		t.Fatalf("got %d parts", len(parts))
	}
	decode := func(part string) []byte {
		data, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&testKey().PublicKey, crypto.SHA256, sum[:], decode(parts[2])); err != nil {
		t.Errorf("the signature: %v", err)
	}
	if got := string(decode(parts[0])); got != `{"alg":"RS256","typ":"JWT"}` {
		t.Errorf("the header is %s", got)
	}
	var claims struct {
		IssuedAt int64  `json:"iat"`
		Expires  int64  `json:"exp"`
		Issuer   string `json:"iss"`
	}
	if err := json.Unmarshal(decode(parts[1]), &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Issuer != "17" || claims.IssuedAt != testNow.Unix()-60 || claims.Expires != testNow.Unix()+9*60 {
		t.Errorf("got %+v at %d", claims, testNow.Unix())
	}
}

func TestKeysOfApps(t *testing.T) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(testKey())
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, data []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}))
	}
	pkcs1 := testPEM().Reveal()
	for _, test := range []struct {
		name string
		text string
		want string // of the error; empty: it is read
	}{
		{"PKCS #1, as GitHub hands it out", pkcs1, ""},
		{"PKCS #8", block("PRIVATE KEY", pkcs8), ""},
		{"on one line, from an environment variable", strings.ReplaceAll(pkcs1, "\n", `\n`), ""},
		{"no PEM", "hunter2", "the private key of the App is no PEM"},
		{"nothing", "", "the private key of the App is no PEM"},
		{"a certificate", block("CERTIFICATE", []byte("hunter2")), `the PEM of the App holds a "CERTIFICATE"; expected a private key`},
		{"half a key", block("RSA PRIVATE KEY", []byte("hunter2")), "the private key of the App cannot be read; was the file cut?"},
		{"half a key of the other form", block("PRIVATE KEY", []byte("hunter2")), "the private key of the App cannot be read as an RSA key; was the file cut?"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseKey(secret.Text(test.text))
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}
