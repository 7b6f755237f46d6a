package sign

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/lockkeeper/lockkeeper/internal/secret"
)

// What PROTOCOL.sshsig of OpenSSH says.
const (
	sshMagic     = "SSHSIG"
	sshVersion   = 1
	sshNamespace = "git"
	sshHash      = "sha512"
	sshColumns   = 70
)

var errSSH = errors.New("it cannot be read: copy it again, whole and with its line breaks; expected an Ed25519 or RSA key of OpenSSH, not one on a security key")

// sshKey signs in the format of ssh-keygen -Y sign.
type sshKey struct {
	signer    ssh.AlgorithmSigner
	algorithm string
}

func openSSH(text string, passphrase secret.Text) (*Signer, error) {
	raw, err := readSSH(text, passphrase)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(raw)
	if err != nil {
		return nil, errSSH
	}
	if err := checkSSH(signer.PublicKey()); err != nil {
		return nil, err
	}
	k := sshKey{algorithm: ssh.KeyAlgoED25519}
	if _, ok := raw.(*rsa.PrivateKey); ok {
		k.algorithm = ssh.KeyAlgoRSASHA512
	}
	var ok bool
	if k.signer, ok = signer.(ssh.AlgorithmSigner); !ok {
		return nil, errSSH
	}
	if err := k.probe(); err != nil {
		return nil, err
	}
	return &Signer{name: "SSH key " + ssh.FingerprintSHA256(signer.PublicKey()), sign: k.sign}, nil
}

// readSSH decodes the key. What the library says of a key that it cannot read is left out: it may quote it.
func readSSH(text string, passphrase secret.Text) (crypto.PrivateKey, error) {
	raw, err := ssh.ParseRawPrivateKey([]byte(text))
	missing, protected := errors.AsType[*ssh.PassphraseMissingError](err)
	switch {
	case err == nil:
		return raw, nil
	case !protected:
		return nil, errSSH
	}
	if missing.PublicKey != nil {
		if err := checkSSH(missing.PublicKey); err != nil {
			return nil, err
		}
	}
	if passphrase == "" {
		return nil, ErrNoPassphrase
	}
	raw, err = ssh.ParseRawPrivateKeyWithPassphrase([]byte(text), []byte(passphrase.Reveal()))
	switch {
	case errors.Is(err, x509.IncorrectPasswordError):
		return nil, ErrWrongPassphrase
	case err != nil:
		return nil, errSSH
	}
	return raw, nil
}

// checkSSH refuses types whose signatures are not deterministic.
func checkSSH(public ssh.PublicKey) error {
	switch public.Type() {
	case ssh.KeyAlgoED25519:
		return nil
	case ssh.KeyAlgoRSA:
		if held, ok := public.(ssh.CryptoPublicKey); ok {
			if key, ok := held.CryptoPublicKey().(*rsa.PublicKey); ok {
				return checkRSA(key.N.BitLen())
			}
		}
	}
	return unsupported(public.Type())
}

// probe refuses a key whose halves do not belong together.
func (k sshKey) probe() error {
	signature, err := k.raw(nil)
	if err != nil {
		return errSSH
	}
	if err := k.signer.PublicKey().Verify(nil, signature); err != nil {
		return errSSH
	}
	return nil
}

// raw signs without randomness: Ed25519 and PKCS #1 v1.5 need none.
func (k sshKey) raw(data []byte) (*ssh.Signature, error) {
	return k.signer.SignWithAlgorithm(noRandom{}, data, k.algorithm)
}

func (k sshKey) sign(payload []byte, _ time.Time) (string, error) {
	digest := sha512.Sum512(payload)
	signature, err := k.raw(append([]byte(sshMagic), ssh.Marshal(struct {
		Namespace, Reserved, Hash string
		Digest                    []byte
	}{sshNamespace, "", sshHash, digest[:]})...))
	if err != nil {
		return "", fmt.Errorf("SSH signature: %w", err)
	}
	return armorSSH(append([]byte(sshMagic), ssh.Marshal(struct {
		Version                   uint32
		PublicKey                 []byte
		Namespace, Reserved, Hash string
		Signature                 []byte
	}{sshVersion, k.signer.PublicKey().Marshal(), sshNamespace, "", sshHash, ssh.Marshal(signature)})...)), nil
}

func armorSSH(blob []byte) string {
	var b strings.Builder
	b.WriteString("-----BEGIN SSH SIGNATURE-----\n")
	text := base64.StdEncoding.EncodeToString(blob)
	for len(text) > sshColumns {
		b.WriteString(text[:sshColumns] + "\n")
		text = text[sshColumns:]
	}
	b.WriteString(text + "\n-----END SSH SIGNATURE-----\n")
	return b.String()
}
