// Package sign makes the signatures of commits, as git's own OpenPGP and SSH formats have them. It owns reading a private key
// and what is signed with it; where the key comes from and which commits are signed is not its matter.
//
// # Keys
//
// An armored OpenPGP private key (gpg --export-secret-keys --armor) or an OpenSSH private key, each with or without a
// passphrase, of a type whose signatures are deterministic: Ed25519, or RSA with PKCS #1 v1.5 and at least 2048 bits. Others
// are refused, because equal commits would get different ids.
//
// # Signatures
//
// Equal payloads and times give equal signatures. An OpenPGP one is a detached signature of version 4 with SHA-512. It names
// the time of the commit as its own, or when the key was made if that is later, because a signature older than its key is
// invalid. An SSH one is an SSHSIG in the namespace "git" with SHA-512, byte for byte what ssh-keygen writes.
package sign

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/secret"
)

const (
	maxKey     = 256 << 10 // bytes
	minRSABits = 2048
)

const (
	pgpPrivate = "-----BEGIN PGP PRIVATE KEY BLOCK-----"
	sshPrivate = "-----BEGIN OPENSSH PRIVATE KEY-----"
)

var (
	// ErrNoPassphrase means that the key is protected and no passphrase was given.
	ErrNoPassphrase = errors.New("the key is protected by a passphrase, and none is given")
	// ErrWrongPassphrase means that the passphrase given is not the one that protects the key.
	ErrWrongPassphrase = errors.New("the passphrase does not open the key")
)

// Signer signs commits with one key. It is safe for concurrent use.
type Signer struct {
	name string
	sign func(payload []byte, when time.Time) (string, error)
}

// Sign returns the armored signature of a commit whose committer's time is when. Equal arguments give equal signatures. It
// fails when the key has expired at that time.
func (s *Signer) Sign(payload []byte, when time.Time) (string, error) { return s.sign(payload, when) }

// String names the key by its public fingerprint.
func (s *Signer) String() string { return s.name }

// Open reads a private key, which must be valid now. A passphrase for a key without one is ignored. Errors never repeat the
// key: beside ErrNoPassphrase and ErrWrongPassphrase they say what to change about it.
func Open(key, passphrase secret.Text, now time.Time) (*Signer, error) {
	text := strings.TrimSpace(key.Reveal())
	switch {
	case text == "":
		return nil, errors.New("the key is empty: expected the text of a private key")
	case len(text) > maxKey:
		return nil, fmt.Errorf("the key has %d bytes: expected at most %d; export one key, without photos", len(text), maxKey)
	case strings.HasPrefix(text, pgpPrivate):
		return openPGP(text, passphrase, now)
	case strings.HasPrefix(text, sshPrivate):
		return openSSH(text, passphrase)
	}
	return nil, refusal(text)
}

// refusal says why a text is not a private key that can be read.
func refusal(text string) error {
	for _, begin := range []string{
		"-----BEGIN PGP PUBLIC KEY", "---- BEGIN SSH2 PUBLIC KEY", "-----BEGIN PUBLIC KEY", "ssh-", "ecdsa-", "sk-",
	} {
		if strings.HasPrefix(text, begin) {
			return errors.New("it is a public key: give the private one that belongs to it")
		}
	}
	first, _, _ := strings.Cut(text, "\n")
	switch {
	case strings.Contains(first, `\n`):
		return errors.New(`its line breaks are written as \n: give the key with real ones`)
	case strings.HasPrefix(first, "-----BEGIN ") && strings.Contains(first, "PRIVATE KEY"):
		return errors.New("its format is not supported: rewrite the key in OpenSSH's own with ssh-keygen -p -f FILE")
	}
	return fmt.Errorf("it is not a private key: expected its text, not the name of a file, beginning with %s or %s", pgpPrivate, sshPrivate)
}

func checkRSA(bits int) error {
	if bits < minRSABits {
		return fmt.Errorf("it is an RSA key of %d bits: expected %d or more", bits, minRSABits)
	}
	return nil
}

// unsupported is the refusal of a type of key whose signatures are random, or which forges do not know.
func unsupported(name string) error {
	return fmt.Errorf("it is a key of type %s: expected Ed25519 or RSA, whose signatures of equal commits are equal", name)
}

// noRandom is given to libraries in place of randomness, so that a signature that would need some fails.
type noRandom struct{}

func (noRandom) Read([]byte) (int, error) {
	return 0, errors.New("signatures of this key need randomness")
}
