package tlsconf

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"mq/tlsconf/zoo"

	"github.com/google/go-cmp/cmp"
)

func say(pass string, err error) func(string) ([]byte, error) {
	return func(string) ([]byte, error) { return []byte(pass), err }
}

func TestEncryptedKeys(t *testing.T) {
	for _, key := range []string{"client-encrypted.key", "client-encrypted-legacy.key"} {
		t.Run(key, func(t *testing.T) {
			var asked []string
			o := Options{CAFile: zf("ca.pem"), CertFile: zf("client.pem"), KeyFile: zf(key), Passphrase: func(file string) ([]byte, error) {
				asked = append(asked, unzoo(file))
				return []byte(zoo.Passphrase), nil
			}}
			cfg := config(t, o, "localhost")
			if diff := cmp.Diff([]string{key}, asked); diff != "" {
				t.Error(diff)
			}
			if err := shake(t, listen(t, greet(demanding(t, 0))), cfg); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEncryptedKeysRefused(t *testing.T) {
	noTerminal := errors.New("no terminal to ask on")
	for _, key := range []string{"client-encrypted.key", "client-encrypted-legacy.key"} {
		tests := []struct {
			name string
			ask  func(string) ([]byte, error)
			want failure
			is   error
		}{
			{"wrong", say("giraffe", nil), failure{`--key "` + key + `": wrong passphrase`, nil}, errPassphrase},
			{"empty", say("", nil), failure{`--key "` + key + `": wrong passphrase`, nil}, errPassphrase},
			{"none", nil, failure{`--key "` + key + `": is encrypted and no passphrase was given`,
				[]string{"--key-passphrase-file FILE", `or decrypt it once: openssl pkey -in "` + key + `" -out NEW.key`}}, nil},
			{"failing", say("", noTerminal), failure{`--key "` + key + `": cannot get its passphrase: no terminal to ask on`, nil}, noTerminal},
		}
		for _, tt := range tests {
			t.Run(key+"/"+tt.name, func(t *testing.T) {
				_, err := Options{CertFile: zf("client.pem"), KeyFile: zf(key), Passphrase: tt.ask}.Config("localhost")
				if diff := cmp.Diff(tt.want, failed(t, err)); diff != "" {
					t.Error(diff)
				}
				if tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("%v is not %v", err, tt.is)
				}
			})
		}
	}
}

// TestEveryWrongLegacyPassphrase goes past the one in 256 that leaves valid padding.
func TestEveryWrongLegacyPassphrase(t *testing.T) {
	b, _ := pem.Decode([]byte(read(t, "client-encrypted-legacy.key")))
	for i := range 2000 {
		if _, err := decrypt(b, []byte(strings.Repeat("x", i+1))); !errors.Is(err, errPassphrase) {
			t.Fatalf("%d times x: %v", i+1, err)
		}
	}
}

// pemOf wraps bytes in a PEM block.
func pemOf(kind string, body string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(body)}))
}

func x25519Key(t *testing.T) string {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	body, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("PRIVATE KEY", string(body))
}

func TestPairRefused(t *testing.T) {
	sealed := der(t, "client-encrypted.key")
	swap := []string{"swap the files of --cert and --key"}
	convert := []string{`convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -in "f" -out NEW.key`}
	tests := []struct {
		name, cert, key string // a zoo file, or content if it has a line break
		want            failure
	}{
		{"swapped", read(t, "client.key"), "client.pem", failure{`--cert "f": holds a private key, not a certificate`, swap}},
		{"certificate as key", "client.pem", read(t, "client.pem"), failure{`--key "f": holds a certificate, not a private key`, swap}},
		{"mismatch", "client.pem", "server.key", failure{`--key "server.key": is not the key of the certificate "mq zoo client" in --cert "client.pem"`,
			[]string{"compare the output of `openssl x509 -noout -pubkey -in \"client.pem\"` and `openssl pkey -pubout -in \"server.key\"`"}}},
		{"no certificate file", "gone.pem", "client.key", failure{`--cert "gone.pem": no such file or directory`, nil}},
		{"no key file", "client.pem", "gone.key", failure{`--key "gone.key": no such file or directory`, nil}},
		{"directory as certificate", "capath", "client.key", failure{`--cert "capath": is a directory, not a file`, nil}},
		{"directory as key", "client.pem", "capath", failure{`--key "capath": is a directory, not a file`, nil}},
		{"empty key", "client.pem", "\n", failure{`--key "f": is empty`, nil}},
		{"text as key", "client.pem", "hello\n", failure{`--key "f": holds no PEM block, not a private key`, nil}},
		{"DER as key", "client.pem", der(t, "client.key") + "\n", failure{`--key "f": holds binary data, not a private key`,
			[]string{`if it is DER, convert it: openssl pkey -in "f" -inform DER -out NEW.key`,
				`if it is PKCS#12 (.p12, .pfx), convert it: openssl pkcs12 -in "f" -nocerts -out NEW.key`}}},
		{"OpenSSH key", "client.pem", damaged("OPENSSH PRIVATE KEY"), failure{`--key "f": holds an OpenSSH private key, which TLS does not use`,
			[]string{"convert a copy: ssh-keygen -p -m PEM -f COPY"}}},
		{"damaged key", "client.pem", damaged("EC PRIVATE KEY"), failure{`--key "f": its "EC PRIVATE KEY" block holds no key that can be used here`, nil}},
		{"key that cannot sign", "client.pem", x25519Key(t), failure{`--key "f": holds a key that cannot sign, so it cannot be used for TLS`, nil}},
		{"damaged encrypted key", "client.pem", damaged("ENCRYPTED PRIVATE KEY"), failure{`--key "f": cannot be decrypted: only PKCS #5 v2.0 supported`, convert}},
		{"not encrypted after all", "client.pem", pemOf("ENCRYPTED PRIVATE KEY", der(t, "client.key")),
			failure{`--key "f": cannot be decrypted: only PKCS #5 v2.0 supported`, convert}},
		{"part of a cipher block", "client.pem", pemOf("ENCRYPTED PRIVATE KEY", cutCiphertext(t, sealed)), failure{`--key "f": cannot be decrypted: damaged`, convert}},
		{"unknown legacy cipher", "client.pem", strings.Replace(read(t, "client-encrypted-legacy.key"), "AES-128-CBC", "ROT-13-CBC", 1),
			failure{`--key "f": cannot be decrypted: x509: unknown encryption mode`, convert}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{CertFile: zf(tt.cert), KeyFile: zf(tt.key), Passphrase: say(zoo.Passphrase, nil)}
			var dir string
			for _, f := range []struct{ content, file *string }{{&tt.cert, &o.CertFile}, {&tt.key, &o.KeyFile}} {
				if strings.Contains(*f.content, "\n") {
					*f.file = write(t, "f", *f.content)
					dir = filepath.Dir(*f.file)
				}
			}
			_, err := o.Config("localhost")
			if dir == "" {
				dir = testZoo.Dir
			}
			if diff := cmp.Diff(tt.want, failed(t, err, dir)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// cutCiphertext shortens the OCTET STRING at the end of an encrypted key by one byte, with all lengths put right.
func cutCiphertext(t *testing.T, sealed string) string {
	t.Helper()
	b := []byte(sealed[:len(sealed)-1])
	i := len(sealed) - 144 - 3 // a P-256 key in PKCS#8 is 138 bytes, 144 when padded
	if !strings.HasPrefix(sealed, "\x30\x81") || !strings.HasPrefix(sealed[i:], "\x04\x81\x90") {
		t.Fatalf("unexpected shape: %x", sealed)
	}
	b[2]--
	b[i+2]--
	return string(b)
}

func TestKeyFormats(t *testing.T) {
	parsed, err := x509.ParsePKCS8PrivateKey([]byte(der(t, "client.key")))
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(parsed.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"PKCS#8":                      read(t, "client.key"),
		"SEC 1 after its parameters":  pemOf("EC PARAMETERS", "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07") + pemOf("EC PRIVATE KEY", string(sec1)),
		"after the certificate":       read(t, "client.pem") + read(t, "client.key"),
		"after text, with CRLF lines": "Bag Attributes\r\n" + strings.ReplaceAll(read(t, "client.key"), "\n", "\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := loadPair(zf("client.pem"), write(t, "f", data), nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRSAKeyInPKCS1(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("this Go makes no short keys: ", err)
	}
	got, err := readKey(write(t, "f", pemOf("RSA PRIVATE KEY", string(x509.MarshalPKCS1PrivateKey(key)))), nil)
	if err != nil || !key.Equal(got) {
		t.Errorf("got %T, %v", got, err)
	}
}
