package github

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/secret"
)

// GitHub takes the word of an App for at most ten minutes, and wants it to be from the past
// (https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app).
const (
	jwtLife     = 9 * time.Minute
	jwtBackdate = time.Minute
)

// parseKey reads the private key of an App: PEM with PKCS #1, as GitHub hands it out, or PKCS #8. Line breaks may be written as
// \n, for environment variables that cannot hold them. Nothing of the key is in its errors.
func parseKey(text secret.Text) (*rsa.PrivateKey, error) {
	plain := text.Reveal()
	if !strings.Contains(plain, "\n") {
		plain = strings.ReplaceAll(plain, `\n`, "\n")
	}
	block, _ := pem.Decode([]byte(plain))
	if block == nil {
		return nil, errors.New(`the private key of the App is no PEM; expected the text of the file that GitHub made, not its name, from "-----BEGIN RSA PRIVATE KEY-----" on`)
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the private key of the App cannot be read; was the file cut?")
		}
		return key, nil
	case "PRIVATE KEY":
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		key, ok := parsed.(*rsa.PrivateKey)
		if err != nil || !ok {
			return nil, errors.New("the private key of the App cannot be read as an RSA key; was the file cut?")
		}
		return key, nil
	}
	return nil, fmt.Errorf(`the PEM of the App holds a %q; expected a private key`, block.Type)
}

// signJWT makes the token by which an App says who it is: RS256 of RFC 7518.
func signJWT(key *rsa.PrivateKey, app int64, now time.Time) (secret.Text, error) {
	claims, err := json.Marshal(struct {
		IssuedAt int64  `json:"iat"`
		Expires  int64  `json:"exp"`
		Issuer   string `json:"iss"`
	}{now.Add(-jwtBackdate).Unix(), now.Add(jwtLife).Unix(), strconv.FormatInt(app, 10)})
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return secret.Text(signed + "." + encode(signature)), nil
}
