package tlsconf

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/youmark/pkcs8"
)

// errPassphrase is a passphrase that does not open the key.
var errPassphrase = errors.New("wrong passphrase")

// loadPair reads a certificate chain, leaf first, and its private key.
func loadPair(certFile, keyFile string, ask func(string) ([]byte, error)) (*tls.Certificate, error) {
	certs, err := readCerts(flagCert, certFile)
	if err != nil {
		return nil, err
	}
	key, err := readKey(keyFile, ask)
	if err != nil {
		return nil, err
	}
	pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(certs[0].PublicKey) {
		return nil, &Error{Flag: flagKey, Value: keyFile,
			Reason: fmt.Sprintf("is not the key of the certificate %s in %s %q", certLabel(certs[0]), flagCert, certFile),
			Fix: []string{fmt.Sprintf("compare the output of `openssl x509 -noout -pubkey -in %q` and `openssl pkey -pubout -in %q`",
				certFile, keyFile)}}
	}
	pair := &tls.Certificate{PrivateKey: key, Leaf: certs[0]}
	for _, c := range certs {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return pair, nil
}

// readKey returns the private key in a PEM file, asking for its passphrase if it is encrypted.
func readKey(file string, ask func(string) ([]byte, error)) (crypto.Signer, error) {
	data, err := readFile(flagKey, file)
	if err != nil {
		return nil, err
	}
	fail := func(reason string, fix ...string) (crypto.Signer, error) {
		return nil, &Error{Flag: flagKey, Value: file, Reason: reason, Fix: fix}
	}
	b := keyBlock(data)
	if b == nil {
		return noKey(file, data)
	}
	var key any
	if encrypted(b) {
		if ask == nil {
			return fail("is encrypted and no passphrase was given", PassphraseFlag+" FILE",
				fmt.Sprintf("or decrypt it once: openssl pkey -in %q -out NEW.key", file))
		}
		pass, err := ask(file)
		if err != nil {
			return nil, &Error{Flag: flagKey, Value: file, Reason: "cannot get its passphrase: " + err.Error(), Err: err}
		}
		if key, err = decrypt(b, pass); errors.Is(err, errPassphrase) {
			return nil, &Error{Flag: flagKey, Value: file, Reason: errPassphrase.Error(), Err: errPassphrase}
		} else if err != nil {
			return fail("cannot be decrypted: "+clean(err.Error()),
				fmt.Sprintf("convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -in %q -out NEW.key", file))
		}
	} else if key, err = parseKey(b.Bytes); err != nil {
		return fail(fmt.Sprintf("its %q block holds no key that can be used here", b.Type))
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return fail("holds a key that cannot sign, so it cannot be used for TLS")
	}
	return signer, nil
}

func noKey(file string, data []byte) (crypto.Signer, error) {
	what := contents(data)
	e := &Error{Flag: flagKey, Value: file, Reason: "holds " + what + ", not a private key"}
	switch what {
	case certificate:
		e.Fix = []string{"swap the files of " + flagCert + " and " + flagKey}
	case binary:
		e.Fix = []string{
			fmt.Sprintf("if it is DER, convert it: openssl pkey -in %q -inform DER -out NEW.key", file),
			fmt.Sprintf("if it is PKCS#12 (.p12, .pfx), convert it: openssl pkcs12 -in %q -nocerts -out NEW.key", file),
		}
	case privateKey:
		e.Reason = "holds an OpenSSH private key, which TLS does not use"
		e.Fix = []string{"convert a copy: ssh-keygen -p -m PEM -f COPY"}
	}
	return nil, e
}

func keyBlock(data []byte) *pem.Block {
	for _, b := range blocks(data) {
		if strings.HasSuffix(b.Type, "PRIVATE KEY") && b.Type != "OPENSSH PRIVATE KEY" {
			return b
		}
	}
	return nil
}

func legacy(b *pem.Block) bool { return b.Headers["DEK-Info"] != "" }

func encrypted(b *pem.Block) bool { return b.Type == "ENCRYPTED PRIVATE KEY" || legacy(b) }

func parseKey(der []byte) (any, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	return x509.ParseECPrivateKey(der)
}

func decrypt(b *pem.Block, pass []byte) (any, error) {
	if len(pass) == 0 {
		return nil, errPassphrase // pkcs8 would take none to mean that the key is not encrypted
	}
	if !legacy(b) {
		return decryptPKCS8(b.Bytes, pass)
	}
	//lint:ignore SA1019 weak, but `openssl genrsa -aes128 -traditional` and old brokers' scripts still write it
	der, err := x509.DecryptPEMBlock(b, pass)
	if errors.Is(err, x509.IncorrectPasswordError) {
		return nil, errPassphrase
	}
	if err != nil {
		return nil, err
	}
	key, err := parseKey(der)
	if err != nil {
		return nil, errPassphrase // one wrong passphrase in 256 leaves valid padding
	}
	return key, nil
}

// decryptPKCS8 turns the library's untyped errors and its panics on damaged input into ours.
func decryptPKCS8(der, pass []byte) (key any, err error) {
	defer func() {
		if recover() != nil { // CBC on a length or IV that is not whole blocks
			key, err = nil, errors.New("damaged")
		}
	}()
	key, params, err := pkcs8.ParsePrivateKey(der, pass)
	if err == nil && params != nil {
		return key, nil
	}
	// "incorrect password" is the only failure after decryption; all others describe the file.
	if err == nil || strings.Contains(err.Error(), "incorrect password") {
		return nil, errPassphrase
	}
	return nil, errors.New(strings.TrimPrefix(err.Error(), "pkcs8: "))
}
