package commands

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// records reads all payloads of text, as each does, one byte at a time when slow.
func records(t *testing.T, text string, end byte, limit int64, slow bool) (published []string, long map[int]int64) {
	t.Helper()
	var r io.Reader = strings.NewReader(text)
	if slow {
		r = iotest.OneByteReader(r)
	}
	s := &payloads{r: r, end: end, limit: limit}
	long = make(map[int]int64)
	err := s.each(func(p []byte) error { published = append(published, string(p)); return nil }, func(n int, length int64) { long[n] = length })
	if err != nil {
		t.Fatal(err)
	}
	return published, long
}

func TestRecords(t *testing.T) {
	huge := strings.Repeat("x", 3*recordBuffer+17)
	for _, c := range []struct {
		name, text string
		end        byte
		want       []string
	}{
		{"nothing", "", '\n', nil},
		{"one", "a\n", '\n', []string{"a"}},
		{"no end at the end", "a\nb", '\n', []string{"a", "b"}},
		{"empty lines", "\n\na\n\n", '\n', []string{"", "", "a", ""}},
		{"carriage return stays", "a\r\n", '\n', []string{"a\r"}},
		{"NUL inside", "a\x00b\nc\n", '\n', []string{"a\x00b", "c"}},
		{"NUL records", "a\nb\x00\x00c", 0, []string{"a\nb", "", "c"}},
		{"longer than the buffer", huge + "\n" + "b\n", '\n', []string{huge, "b"}},
		{"as long as the buffer", huge[:recordBuffer] + "\nb\n", '\n', []string{huge[:recordBuffer], "b"}},
		{"one less than the buffer", huge[:recordBuffer-1] + "\nb", '\n', []string{huge[:recordBuffer-1], "b"}},
	} {
		for _, slow := range []bool{false, true} {
			got, long := records(t, c.text, c.end, 1<<30, slow)
			if diff := cmp.Diff(c.want, got); diff != "" || len(long) > 0 {
				t.Errorf("%s (slow %v), too long %v (-want +got):\n%s", c.name, slow, long, diff)
			}
		}
	}
}

func TestRecordsOverTheLimit(t *testing.T) {
	huge := strings.Repeat("x", 2*recordBuffer)
	got, long := records(t, "12345\n123456\n\n"+huge+"\n1234567", '\n', 5, false)
	if diff := cmp.Diff([]string{"12345", ""}, got); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[int]int64{2: 6, 4: 2 * recordBuffer, 5: 7}, long); diff != "" {
		t.Errorf("too long (-want +got):\n%s", diff)
	}
}

func TestOverLongRecordIsNotKept(t *testing.T) {
	s := &payloads{end: '\n', limit: 10}
	record, length, err := s.record(bufio.NewReader(strings.NewReader(strings.Repeat("x", 1<<20) + "\n")))
	if len(record) != 0 || length != 1<<20 || err != nil {
		t.Errorf("kept %d bytes, length %d, %v", len(record), length, err)
	}
}

func TestEachStopsAtErrors(t *testing.T) {
	broken := errors.New("broken disk")
	s := &payloads{r: io.MultiReader(strings.NewReader("a\nhalf"), iotest.ErrReader(broken)), end: '\n', limit: 100}
	var got []string
	err := s.each(func(p []byte) error { got = append(got, string(p)); return nil }, nil)
	if !errors.Is(err, broken) || err.Error() != "read standard input: broken disk" {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]string{"a"}, got); diff != "" {
		t.Errorf("half a record must not be published (-want +got):\n%s", diff)
	}
	stop := errors.New("stop")
	s = &payloads{whole: [][]byte{{1}, {2}}}
	calls := 0
	if err := s.each(func([]byte) error { calls++; return stop }, nil); err != stop || calls != 1 {
		t.Errorf("error %v after %d calls", err, calls)
	}
}

func TestShare(t *testing.T) {
	s := &payloads{r: strings.NewReader("12\n45\n"), end: '\n', limit: 10, size: 6}
	var shares []float64
	if err := s.each(func([]byte) error { shares = append(shares, s.share()); return nil }, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float64{0.5, 1}, shares); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := (&payloads{}).share(); got != 0 {
		t.Errorf("of unknown size: %v", got)
	}
}

func TestWholeInputLimit(t *testing.T) {
	s := &payloads{limit: 4}
	if err := s.addAll("--stdin-file", strings.NewReader("1234")); err != nil || string(s.whole[0]) != "1234" {
		t.Errorf("%q, %v", s.whole, err)
	}
	if err := s.addAll("--stdin-file", strings.NewReader("12345")); err == nil || err.Error() != "--stdin-file: more than 4 bytes, the limit of a message" {
		t.Errorf("error %v", err)
	}
}
