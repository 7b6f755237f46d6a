package sign

import (
	"bytes"
	"crypto"
	_ "crypto/sha512" // behind crypto.SHA512
	"errors"
	"fmt"
	"hash"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/lockkeeper/lockkeeper/internal/secret"
)

var (
	errPGP       = errors.New("it cannot be read: copy it again, whole and with its line breaks, as gpg --export-secret-keys --armor prints it")
	errNoPrivate = errors.New("it lacks the private half of the key that signs: export it where that is, with gpg --export-secret-keys --armor")
)

// pgpKey signs as gpg does.
type pgpKey struct {
	private *packet.PrivateKey
	expires time.Time // zero: never
}

func openPGP(text string, passphrase secret.Text, now time.Time) (*Signer, error) {
	entity, err := readPGP(text)
	if err != nil {
		return nil, err
	}
	chosen, ok := entity.SigningKey(now)
	if !ok {
		return nil, noSigningKey(entity, now)
	}
	if err := checkPGP(chosen.PublicKey); err != nil {
		return nil, err
	}
	if chosen.PrivateKey == nil || chosen.PrivateKey.Dummy() {
		return nil, errNoPrivate
	}
	if chosen.PrivateKey.Encrypted {
		if passphrase == "" {
			return nil, ErrNoPassphrase
		}
		if err := chosen.PrivateKey.Decrypt([]byte(passphrase.Reveal())); err != nil {
			return nil, ErrWrongPassphrase
		}
	}
	self, _ := entity.PrimarySelfSignature()
	k := pgpKey{
		private: chosen.PrivateKey,
		expires: earlier(expiry(entity.PrimaryKey, self), expiry(chosen.PublicKey, chosen.SelfSignature)),
	}
	if err := k.probe(now); err != nil {
		return nil, err
	}
	return &Signer{name: fmt.Sprintf("OpenPGP key %X", chosen.PublicKey.Fingerprint), sign: k.sign}, nil
}

// readPGP decodes the one key of an armored block. What the library says of a key that it cannot read is left out: it may
// quote it.
func readPGP(text string) (*openpgp.Entity, error) {
	block, err := armor.Decode(strings.NewReader(text))
	if err != nil {
		return nil, errPGP
	}
	entities, err := openpgp.ReadKeyRing(block.Body)
	if _, ok := errors.AsType[pgperrors.UnsupportedError](err); ok {
		return nil, unsupported("unknown")
	}
	switch {
	case err != nil, len(entities) == 0:
		return nil, errPGP
	case len(entities) > 1:
		return nil, fmt.Errorf("it holds %d keys: export the one to sign with", len(entities))
	case entities[0].PrimaryKey.Version != 4:
		return nil, fmt.Errorf("it is an OpenPGP key of version %d: expected version 4, which git's forges verify", entities[0].PrimaryKey.Version)
	}
	return entities[0], nil
}

// checkPGP refuses types whose signatures are not deterministic.
func checkPGP(public *packet.PublicKey) error {
	switch public.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		bits, err := public.BitLength()
		if err != nil {
			return errPGP
		}
		return checkRSA(int(bits))
	case packet.PubKeyAlgoEd25519:
		return nil
	case packet.PubKeyAlgoEdDSA:
		if curve, err := public.Curve(); err == nil && curve == packet.Curve25519 {
			return nil
		}
		return unsupported("EdDSA on another curve")
	case packet.PubKeyAlgoECDSA:
		return unsupported("ECDSA")
	case packet.PubKeyAlgoDSA:
		return unsupported("DSA")
	default:
		return unsupported(fmt.Sprintf("%d of OpenPGP", public.PubKeyAlgo))
	}
}

// noSigningKey says why nothing of the key may sign now.
func noSigningKey(entity *openpgp.Entity, now time.Time) error {
	self, _ := entity.PrimarySelfSignature()
	if self == nil {
		return errPGP
	}
	if entity.Revoked(now) {
		return errors.New("the key is revoked: make another")
	}
	if entity.PrimaryKey.CreationTime.After(now) || self.CreationTime.After(now) {
		return fmt.Errorf("the key was made at %s, which is later than now: check the clock", stamp(self.CreationTime))
	}
	last := expiry(entity.PrimaryKey, self)
	for _, sub := range entity.Subkeys {
		if sub.Sig.FlagsValid && sub.Sig.FlagSign && !sub.Revoked(now) && last.IsZero() {
			last = expiry(sub.PublicKey, sub.Sig)
		}
	}
	if !last.IsZero() && now.After(last) {
		return expired(last)
	}
	return errors.New("no part of the key may sign: make one with the capability to sign, as in gpg --quick-add-key FINGERPRINT ed25519 sign")
}

func expired(at time.Time) error {
	return fmt.Errorf("the key expired at %s: extend it with gpg --quick-set-expire and export it again, or make another", stamp(at))
}

// expiry is when a key ends by what its signature says; zero: never.
func expiry(public *packet.PublicKey, sig *packet.Signature) time.Time {
	if sig == nil || sig.KeyLifetimeSecs == nil || *sig.KeyLifetimeSecs == 0 {
		return time.Time{}
	}
	return public.CreationTime.Add(time.Duration(*sig.KeyLifetimeSecs) * time.Second)
}

// earlier is the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// probe refuses a key whose halves do not belong together.
func (k pgpKey) probe(now time.Time) error {
	sig, err := k.packet(nil, now)
	if err != nil {
		return errPGP
	}
	if err := k.private.VerifySignature(hashOf(nil), sig); err != nil {
		return errPGP
	}
	return nil
}

// packet signs without the notation of random bytes that the library adds otherwise.
func (k pgpKey) packet(payload []byte, when time.Time) (*packet.Signature, error) {
	if when.Before(k.private.CreationTime) {
		when = k.private.CreationTime
	}
	plain := false
	sig := &packet.Signature{
		SigType: packet.SigTypeBinary, PubKeyAlgo: k.private.PubKeyAlgo, Hash: crypto.SHA512, CreationTime: when, IssuerKeyId: &k.private.KeyId,
	}
	config := &packet.Config{Rand: noRandom{}, NonDeterministicSignaturesViaNotation: &plain}
	return sig, sig.Sign(hashOf(payload), k.private, config)
}

func hashOf(payload []byte) hash.Hash {
	h := crypto.SHA512.New()
	h.Write(payload) // never fails
	return h
}

func (k pgpKey) sign(payload []byte, when time.Time) (string, error) {
	if !k.expires.IsZero() && when.After(k.expires) {
		return "", expired(k.expires)
	}
	sig, err := k.packet(payload, when)
	if err != nil {
		return "", fmt.Errorf("OpenPGP signature: %w", err)
	}
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.SignatureType, nil)
	if err != nil {
		return "", fmt.Errorf("OpenPGP signature: %w", err)
	}
	if err := sig.Serialize(w); err != nil {
		return "", fmt.Errorf("OpenPGP signature: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("OpenPGP signature: %w", err)
	}
	return b.String() + "\n", nil
}
