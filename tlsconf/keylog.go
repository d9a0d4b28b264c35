package tlsconf

import (
	"crypto/tls"
	"os"
)

// keyLog appends to a file, opening it for each write: every line is in the file as soon as it is written, and a
// configuration has nothing to close. A handshake writes five lines at most.
type keyLog struct{ file string }

func (k keyLog) Write(p []byte) (int, error) {
	f, err := os.OpenFile(k.file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := f.Write(p)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return n, err
}

func (o Options) setKeyLog(cfg *tls.Config) error {
	if o.KeyLogFile == "" {
		return nil
	}
	k := keyLog{o.KeyLogFile}
	if _, err := k.Write(nil); err != nil {
		return fileError(flagKeyLog, o.KeyLogFile, err)
	}
	cfg.KeyLogWriter = k
	return nil
}
