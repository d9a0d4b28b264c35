package tap

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// KeyLog holds TLS secrets in the NSS format, as SSLKEYLOGFILE gathers them. It is not safe for concurrent use.
type KeyLog struct {
	secrets map[keyName][]byte
	path    string // of a file that may still grow, "" for none
	read    int64  // bytes of it taken
}

// keyName names a secret: what it is and the random of the ClientHello.
type keyName struct {
	label  string
	random [32]byte
}

// maxSecrets bounds what a KeyLog keeps.
const maxSecrets = 1 << 19

// The labels that are used.
var keyLabels = []string{labelMaster, labelEarly, labelClientHandshake, labelServerHandshake, labelClientTraffic, labelServerTraffic}

const (
	labelMaster          = "CLIENT_RANDOM"
	labelEarly           = "CLIENT_EARLY_TRAFFIC_SECRET"
	labelClientHandshake = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
	labelServerHandshake = "SERVER_HANDSHAKE_TRAFFIC_SECRET"
	labelClientTraffic   = "CLIENT_TRAFFIC_SECRET_0"
	labelServerTraffic   = "SERVER_TRAFFIC_SECRET_0"
)

// ReadKeyLog reads a key log to its end. Lines it does not know are passed over; without any it does know it fails.
func ReadKeyLog(r io.Reader) (*KeyLog, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	k := &KeyLog{}
	k.add(b)
	if len(k.secrets) == 0 && len(bytes.TrimSpace(b)) > 0 {
		return nil, &Error{What: "key log: no TLS secret in it",
			hints: []string{"a key log has lines like CLIENT_RANDOM …; programs write it to the file that SSLKEYLOGFILE names"}}
	}
	return k, nil
}

// OpenKeyLog reads the key log at path and, when a secret is looked for in vain, what has been added to it since: for a
// program that is still running. The file need not have anything in it yet.
func OpenKeyLog(path string) (*KeyLog, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{What: fmt.Sprintf("key log %q", path), Err: err.(*os.PathError).Err}
	}
	defer f.Close()
	k := &KeyLog{path: path}
	return k, k.readOn(f)
}

func (k *KeyLog) readOn(f *os.File) error {
	if _, err := f.Seek(k.read, io.SeekStart); err != nil {
		return err
	}
	b, err := io.ReadAll(f)
	b = b[:bytes.LastIndexByte(b, '\n')+1] // the last line may still be on its way
	k.read += int64(len(b))
	k.add(b)
	return err
}

// add takes the lines of b.
func (k *KeyLog) add(b []byte) {
	if k.secrets == nil {
		k.secrets = map[keyName][]byte{}
	}
	for line := range bytes.Lines(b) {
		part := bytes.Fields(line)
		if len(part) != 3 || len(part[1]) != 64 || len(part[2]) > 128 || len(k.secrets) >= maxSecrets {
			continue
		}
		for _, label := range keyLabels {
			name := keyName{label: label}
			if string(part[0]) != label {
				continue
			}
			secret := make([]byte, len(part[2])/2)
			_, err1 := hex.Decode(name.random[:], part[1])
			_, err2 := hex.Decode(secret, part[2])
			if err1 == nil && err2 == nil && len(secret) > 0 {
				k.secrets[name] = secret
			}
		}
	}
}

// empty reports whether there is nothing and never will be.
func (k *KeyLog) empty() bool { return len(k.secrets) == 0 && k.path == "" }

// find returns a secret, nil if it is not there.
func (k *KeyLog) find(label string, random [32]byte) []byte {
	name := keyName{label, random}
	if s := k.secrets[name]; s != nil || k.path == "" {
		return s
	}
	f, err := os.Open(k.path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > k.read {
		_ = k.readOn(f) // what could be read counts
	}
	return k.secrets[name]
}
