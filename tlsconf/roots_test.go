package tlsconf

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// read is the content of a file in the zoo.
func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(zf(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// der is the content of a PEM file's first block.
func der(t *testing.T, name string) string {
	t.Helper()
	b, _ := pem.Decode([]byte(read(t, name)))
	return string(b.Bytes)
}

func damaged(kind string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("\x30\x03abc")}))
}

func TestCAFileRefused(t *testing.T) {
	tests := []struct {
		name, data string
		want       failure
	}{
		{"empty", " \n", failure{`--cafile "f": is empty`, nil}},
		{"no PEM", "hello\n", failure{`--cafile "f": holds no PEM block, not a certificate`, nil}},
		{"half a PEM block", "-----BEGIN CERTIFICATE-----\nAAAA\n", failure{`--cafile "f": holds damaged PEM, not a certificate`, nil}},
		{"binary", "\x00\x01\x02", failure{`--cafile "f": holds binary data, not a certificate`,
			[]string{"if it is PKCS#12 (.p12, .pfx), convert it: openssl pkcs12 -in FILE -nokeys -out NEW.pem"}}},
		{"a key", read(t, "ca.key"), failure{`--cafile "f": holds a private key, not a certificate`,
			[]string{"pass the certificate of the CA, never its key"}}},
		{"a request", damaged("CERTIFICATE REQUEST"), failure{`--cafile "f": holds a certificate request (CSR), not a certificate`, nil}},
		{"a public key", damaged("PUBLIC KEY"), failure{`--cafile "f": holds a public key, not a certificate`, nil}},
		{"another block", damaged("X509 CRL"), failure{`--cafile "f": holds a PEM block of type "X509 CRL", not a certificate`, nil}},
		{"second certificate damaged", read(t, "ca.pem") + damaged("CERTIFICATE"),
			failure{`--cafile "f": certificate 2 in the file is damaged (x509: malformed tbs certificate)`, nil}},
		{"too large", strings.Repeat("x", maxFile+1), failure{`--cafile "f": is larger than 16 MiB, so it is no PEM file`, nil}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := write(t, "f", tt.data)
			_, err := Options{CAFile: file}.Config("localhost")
			if diff := cmp.Diff(tt.want, failed(t, err, filepath.Dir(file))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCAFileOpenFails(t *testing.T) {
	tests := []struct {
		name string
		file string
		want failure
	}{
		{"missing", zf("no.pem"), failure{`--cafile "no.pem": no such file or directory`, nil}},
		{"a directory", zf("capath"), failure{`--cafile "capath": is a directory, not a file`, []string{"use --capath DIRECTORY"}}},
		{"below a file", filepath.Join(zf("ca.pem"), "x"), failure{`--cafile "ca.pem/x": not a directory`, nil}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Options{CAFile: tt.file}.Config("localhost")
			if diff := cmp.Diff(tt.want, failed(t, err, t.TempDir())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCAFileInDER(t *testing.T) {
	file := write(t, "ca.der", der(t, "ca.pem"))
	server := serverOf(t, "server", 0)
	if err := shake(t, listen(t, greet(server)), config(t, Options{CAFile: file}, "localhost")); err != nil {
		t.Error(err)
	}
}

func TestCAPath(t *testing.T) {
	ca, other := read(t, "ca.pem"), read(t, "other-ca.pem")
	const nothing = `--capath ".": has no certificate in any *.pem, *.crt, *.cer or hash-named file`
	fix := []string{"copy the CA's PEM file into it, or use --cafile FILE"}
	tests := []struct {
		name  string
		files map[string]string // "dir/" is a directory, "-> x" a link
		want  failure           // zero: the zoo's server is trusted
	}{
		{"pem", map[string]string{"a.pem": ca}, failure{}},
		{"crt among others", map[string]string{"a.crt": ca, "b.pem": other, "README": "hello"}, failure{}},
		{"cer in DER", map[string]string{"a.cer": der(t, "ca.pem")}, failure{}},
		{"hash name", map[string]string{"0a1b2c3d.0": ca}, failure{}},
		{"a bundle", map[string]string{"a.pem": other + ca}, failure{}},
		{"keys, dangling links and directories are passed over",
			map[string]string{"a.pem": read(t, "ca.key"), "b.pem": "-> gone", "c.pem/": "", "d.pem": ca}, failure{}},
		{"empty", nil, failure{nothing, fix}},
		{"no fitting name", map[string]string{"ca.txt": ca, "0a1b2c3d": ca, "0a1b2c3.0": ca}, failure{nothing, fix}},
		{"no certificate", map[string]string{"a.pem": "hello"}, failure{nothing, fix}},
		{"damaged", map[string]string{"a.pem": ca, "b.pem": damaged("CERTIFICATE")},
			failure{`--capath "b.pem": certificate 1 in the file is damaged (x509: malformed tbs certificate)`, nil}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, data := range tt.files {
				put(t, filepath.Join(dir, name), strings.HasSuffix(name, "/"), data)
			}
			cfg, err := Options{CAPath: dir + "/."}.Config("localhost")
			if tt.want.Message != "" {
				if diff := cmp.Diff(tt.want, failed(t, err, dir)); diff != "" {
					t.Error(diff)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := shake(t, listen(t, greet(serverOf(t, "server", 0))), cfg); err != nil {
				t.Error(err)
			}
		})
	}
}

func put(t *testing.T, path string, dir bool, data string) {
	t.Helper()
	var err error
	if target, link := strings.CutPrefix(data, "-> "); link {
		if err = os.Symlink(target, path); err != nil && os.PathSeparator != '/' {
			t.Skip("Windows makes no links without a privilege: ", err)
		}
	} else if dir {
		err = os.Mkdir(path, 0o755)
	} else {
		err = os.WriteFile(path, []byte(data), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestCAPathOpenFails(t *testing.T) {
	tests := []struct {
		name, dir string
		want      failure
	}{
		{"missing", "nowhere", failure{`--capath "nowhere": no such file or directory`, nil}},
		{"a file", "ca.pem", failure{`--capath "ca.pem": is a file, not a directory`, []string{"use --cafile FILE"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Options{CAPath: zf(tt.dir)}.Config("localhost")
			if diff := cmp.Diff(tt.want, failed(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
