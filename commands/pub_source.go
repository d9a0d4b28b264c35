package commands

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"sync/atomic"
)

// payloads is where the payloads come from: a list of whole messages, or a stream of records.
type payloads struct {
	whole [][]byte
	r     io.Reader
	end   byte  // of a record
	limit int64 // of a payload
	size  int64 // of the stream, 0 when unknown
	read  atomic.Int64
}

// recordBuffer is how much of the stream is read ahead.
const recordBuffer = 64 << 10

// each calls publish with every payload in order. A record over the limit is reported to tooLong with its number, from
// 1, and passed over. Payloads are not reused.
func (s *payloads) each(publish func([]byte) error, tooLong func(number int, length int64)) error {
	for _, m := range s.whole {
		if err := publish(m); err != nil {
			return err
		}
	}
	if s.r == nil {
		return nil
	}
	br := bufio.NewReaderSize(s.r, recordBuffer)
	for number := 1; ; number++ {
		record, length, err := s.record(br)
		if err != nil && err != io.EOF {
			return &failure{msg: "read standard input: " + reasonOf(err).Error(), err: err}
		}
		if err == io.EOF && length == 0 {
			return nil
		}
		s.read.Add(length + 1)
		if length > s.limit {
			tooLong(number, length)
		} else if perr := publish(record); perr != nil {
			return perr
		}
		if err == io.EOF {
			return nil
		}
	}
}

// record reads up to the next end mark, which is not part of the record; io.EOF comes with the last record if that has
// no end mark. Of a record over the limit only the length is kept.
func (s *payloads) record(br *bufio.Reader) (record []byte, length int64, err error) {
	for {
		piece, err := br.ReadSlice(s.end)
		if err == nil {
			piece = piece[:len(piece)-1]
		}
		if length += int64(len(piece)); length <= s.limit {
			record = append(record, piece...)
		} else {
			record = nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return record, length, err
		}
	}
}

// share returns how much of the input has been read, 0 to 1; 0 also when that cannot be known.
func (s *payloads) share() float64 {
	if s.size <= 0 {
		return 0
	}
	return min(1, float64(s.read.Load())/float64(s.size))
}

func (s *payloads) addFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return usagef("--file %q: %v", name, reasonOf(err)).hint("check the path; -m publishes text")
	}
	defer f.Close()
	return s.addAll("--file", f)
}

func (s *payloads) addStdin(r io.Reader) error {
	if err := s.addAll("--stdin-file", r); err != nil {
		return err
	}
	if len(s.whole[0]) == 0 {
		return usagef("--stdin-file: standard input is empty").hint("-n publishes an empty message")
	}
	return nil
}

func (s *payloads) addAll(flag string, r io.Reader) error {
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r, s.limit+1))
	if err != nil {
		return usagef("%s: %v", flag, reasonOf(err))
	}
	if n > s.limit {
		return usagef("%s: more than %d bytes, the limit of a message", flag, s.limit)
	}
	s.whole = append(s.whole, b.Bytes())
	return nil
}
