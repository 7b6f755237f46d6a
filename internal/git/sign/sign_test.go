package sign_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/ssh"

	"github.com/lockkeeper/lockkeeper/internal/git/sign"
	"github.com/lockkeeper/lockkeeper/internal/secret"
)

const passphrase = "correct horse"

func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// pgpEntity makes a key, a month before now unless cfg has another time.
func pgpEntity(t testing.TB, cfg packet.Config) *openpgp.Entity {
	t.Helper()
	if cfg.Time == nil {
		cfg.Time = func() time.Time { return now().AddDate(0, -1, 0) }
	}
	entity, err := openpgp.NewEntity("Lockkeeper", "", "bot@example.com", &cfg)
	if err != nil {
		t.Fatal(err)
	}
	return entity
}

func armored(t testing.TB, kind string, entities ...*openpgp.Entity) string {
	t.Helper()
	var b bytes.Buffer
	w, err := armor.Encode(&b, kind, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, entity := range entities {
		serialize := func() error { return entity.SerializePrivateWithoutSigning(w, nil) }
		if kind == openpgp.PublicKeyType {
			serialize = func() error { return entity.Serialize(w) }
		}
		if err := serialize(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func pgpText(t testing.TB, cfg packet.Config) string {
	t.Helper()
	return armored(t, openpgp.PrivateKeyType, pgpEntity(t, cfg))
}

func pgpProtected(t testing.TB, cfg packet.Config) string {
	t.Helper()
	entity := pgpEntity(t, cfg)
	if err := entity.EncryptPrivateKeys([]byte(passphrase), nil); err != nil {
		t.Fatal(err)
	}
	return armored(t, openpgp.PrivateKeyType, entity)
}

func sshText(t testing.TB, key crypto.PrivateKey) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "bot")
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

func sshProtected(t testing.TB, key crypto.PrivateKey) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "bot", []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

func edKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ecdsaKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// lastLineLost drops the line before the end of a block.
func lastLineLost(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(slices.Delete(lines, len(lines)-3, len(lines)-1), "\n")
}

// otherHalf is a key whose public half belongs to another.
func otherHalf(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	return append(slices.Clone(edKey(t)[:ed25519.SeedSize]), edKey(t)[ed25519.SeedSize:]...)
}

func TestOpenRefuses(t *testing.T) {
	edDSA := packet.Config{Algorithm: packet.PubKeyAlgoEdDSA}
	old := edDSA
	old.Time, old.KeyLifetimeSecs = func() time.Time { return now().AddDate(-1, 0, 0) }, 3600
	future := edDSA
	future.Time = func() time.Time { return now().AddDate(0, 0, 1) }
	revoked := pgpEntity(t, edDSA)
	if err := revoked.RevokeKey(packet.KeyRetired, "", &packet.Config{Time: now}); err != nil {
		t.Fatal(err)
	}
	encrypting := pgpEntity(t, edDSA)
	for _, identity := range encrypting.Identities {
		identity.SelfSignature.FlagSign = false
		if err := identity.SelfSignature.SignUserId(identity.UserId.Id, encrypting.PrimaryKey, encrypting.PrivateKey, nil); err != nil {
			t.Fatal(err)
		}
	}
	publicHalf := pgpEntity(t, edDSA)
	var publicInside bytes.Buffer
	w, err := armor.Encode(&publicInside, openpgp.PrivateKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(publicHalf.Serialize(w), w.Close()); err != nil {
		t.Fatal(err)
	}
	sshPublic, err := ssh.NewPublicKey(edKey(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	plain := pgpText(t, edDSA)
	for _, tt := range []struct {
		name       string
		key        string
		passphrase string
		want       string // what the error contains
	}{
		{"nothing", " \n", "", "the key is empty"},
		{"a file name", "/run/secrets/key.asc", "", "expected its text, not the name of a file"},
		{"too much", strings.Repeat("x", 300<<10), "", "expected at most 262144"},
		{"line breaks lost in the environment", strings.ReplaceAll(plain, "\n", `\n`), "", "line breaks"},
		{"a public OpenPGP key", armored(t, openpgp.PublicKeyType, pgpEntity(t, edDSA)), "", "it is a public key"},
		{"a public OpenPGP key that claims to be private", publicInside.String(), "", "lacks the private half"},
		{"a public SSH key", string(ssh.MarshalAuthorizedKey(sshPublic)), "", "it is a public key"},
		{"a key in another format", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", "", "ssh-keygen -p -f"},
		{"half an OpenPGP key", plain[:len(plain)/2], "", "copy it again"},
		{"an OpenPGP key with a line lost", lastLineLost(plain), "", "copy it again"},
		{"an SSH key with a line lost", lastLineLost(sshText(t, edKey(t))), "", "copy it again"},
		{"an SSH key whose halves differ", sshText(t, otherHalf(t)), "", "copy it again"},
		{"two OpenPGP keys", armored(t, openpgp.PrivateKeyType, pgpEntity(t, edDSA), pgpEntity(t, edDSA)), "", "it holds 2 keys"},
		{"a protected OpenPGP key", pgpProtected(t, edDSA), "", sign.ErrNoPassphrase.Error()},
		{"a protected OpenPGP key and another passphrase", pgpProtected(t, edDSA), "wrong", sign.ErrWrongPassphrase.Error()},
		{"a protected SSH key", sshProtected(t, edKey(t)), "", sign.ErrNoPassphrase.Error()},
		{"a protected SSH key and another passphrase", sshProtected(t, edKey(t)), "wrong", sign.ErrWrongPassphrase.Error()},
		{"an expired OpenPGP key", pgpText(t, old), "", "the key expired at 2025-03-01T13:00:00Z"},
		{"an OpenPGP key of tomorrow", pgpText(t, future), "", "check the clock"},
		{"a revoked OpenPGP key", armored(t, openpgp.PrivateKeyType, revoked), "", "the key is revoked"},
		{"an OpenPGP key that may not sign", armored(t, openpgp.PrivateKeyType, encrypting), "", "no part of the key may sign"},
		{"OpenPGP with ECDSA", pgpText(t, packet.Config{Algorithm: packet.PubKeyAlgoECDSA, Curve: packet.CurveNistP256}), "", "type ECDSA: expected Ed25519 or RSA"},
		{"OpenPGP with Ed448", pgpText(t, packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve448}), "", "EdDSA on another curve"},
		{"OpenPGP of version 6, whose signatures hold random bytes", pgpText(t, packet.Config{Algorithm: packet.PubKeyAlgoEd25519, V6Keys: true}), "", "version 6"},
		{"SSH with ECDSA", sshText(t, ecdsaKey(t)), "", "type ecdsa-sha2-nistp256: expected Ed25519 or RSA"},
		{"protected SSH with ECDSA, before it asks for a passphrase", sshProtected(t, ecdsaKey(t)), "", "type ecdsa-sha2-nistp256"},
		{"short RSA of SSH", sshText(t, rsaKey(t, 1024)), "", "RSA key of 1024 bits"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signer, err := sign.Open(secret.Text(tt.key), secret.Text(tt.passphrase), now())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Open = %v, %v, want an error with %q", signer, err, tt.want)
			}
			checkSilent(t, err, tt.key, tt.passphrase)
		})
	}
}

// checkSilent fails when an error repeats a line of a key, or the passphrase.
func checkSilent(t testing.TB, err error, key, passphrase string) {
	t.Helper()
	said := strings.NewReplacer("-----BEGIN PGP PRIVATE KEY BLOCK-----", "", "-----BEGIN OPENSSH PRIVATE KEY-----", "").Replace(err.Error())
	for line := range strings.Lines(key) {
		line = strings.TrimSpace(line)
		if len(line) > 16 && strings.Contains(said, line) {
			t.Errorf("error repeats %q of the key: %v", line, err)
		}
	}
	if passphrase != "" && strings.Contains(err.Error(), `"`+passphrase+`"`) {
		t.Errorf("error repeats the passphrase: %v", err)
	}
}

func TestEqualCommitsGetEqualSignatures(t *testing.T) {
	for _, tt := range []struct{ name, key string }{
		{"OpenPGP with EdDSA", pgpProtected(t, packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})},
		{"OpenPGP with Ed25519", pgpText(t, packet.Config{Algorithm: packet.PubKeyAlgoEd25519})},
		{"OpenPGP with RSA", pgpText(t, packet.Config{Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048})},
		{"SSH with Ed25519", sshProtected(t, edKey(t))},
		{"SSH with RSA", sshText(t, rsaKey(t, 2048))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			one, other := openKey(t, tt.key), openKey(t, strings.ReplaceAll(tt.key, "\n", "\r\n"))
			first := signed(t, one, "tree 1\n", now())
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					if got := signed(t, other, "tree 1\n", now()); got != first {
						t.Errorf("the same commit signed again got\n%s\nwant\n%s", got, first)
					}
				})
			}
			all.Wait()
			if signed(t, one, "tree 2\n", now()) == first {
				t.Error("another commit got the same signature")
			}
		})
	}
}

func TestExpiryIsThatOfTheCommitsTime(t *testing.T) {
	made := now().AddDate(0, 0, -1)
	key := pgpText(t, packet.Config{
		Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return made }, KeyLifetimeSecs: 2 * 24 * 3600,
	})
	signer := openKey(t, key)
	signed(t, signer, "tree", now())
	if _, err := signer.Sign([]byte("tree"), now().AddDate(0, 0, 2)); err == nil || !strings.Contains(err.Error(), "expired at 2026-03-02T12:00:00Z") {
		t.Errorf("a commit after the key expired: %v", err)
	}
	if signed(t, signer, "tree", made.AddDate(0, -1, 0)) != signed(t, signer, "tree", made) {
		t.Error("a commit from before the key is not signed as of when the key was made")
	}
}

func openKey(t testing.TB, key string) *sign.Signer {
	t.Helper()
	signer, err := sign.Open(secret.Text(key), passphrase, now())
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func signed(t testing.TB, signer *sign.Signer, payload string, when time.Time) string {
	t.Helper()
	signature, err := signer.Sign([]byte(payload), when)
	if err != nil {
		t.Error(err)
	}
	return signature
}

func FuzzOpen(f *testing.F) {
	// No RSA keys: arithmetic on them takes so long that the fuzzer does little else than minimize its first find.
	f.Add(pgpText(f, packet.Config{Algorithm: packet.PubKeyAlgoEdDSA}))
	f.Add(pgpProtected(f, packet.Config{Algorithm: packet.PubKeyAlgoEdDSA}))
	f.Add(pgpText(f, packet.Config{Algorithm: packet.PubKeyAlgoECDSA, Curve: packet.CurveNistP256}))
	f.Add(sshText(f, edKey(f)))
	f.Add(sshProtected(f, edKey(f)))
	f.Add("ssh-ed25519 AAAA")
	f.Add("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n-----END PGP PRIVATE KEY BLOCK-----")
	f.Fuzz(func(t *testing.T, key string) {
		// Without a passphrase, because whoever wrote the key decides how long its derivation takes.
		signer, err := sign.Open(secret.Text(key), "", now())
		if err != nil {
			checkSilent(t, err, key, "")
			return
		}
		first := signed(t, signer, "tree", now())
		if signed(t, signer, "tree", now()) != first {
			t.Error("two signatures of one commit differ")
		}
	})
}
