// Command peers runs mq and its peers in turn on the same work, against a real mosquitto on loopback, and prints what
// each needed and the ratios. It is run by scripts/compare. It asserts nothing: judging is for the reader.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// bench is what the rows need to know.
type bench struct {
	dir    string
	mq     string
	broker *mosquitto
	repeat int
	out    io.Writer
}

func run(words []string, out io.Writer) error {
	for _, tool := range []string{"mosquitto", "mosquitto_pub", "mosquitto_sub", "tshark"} {
		if _, err := findTool(tool); err != nil {
			return fmt.Errorf("%s is not installed: apt-get install mosquitto mosquitto-clients tshark", tool)
		}
	}
	dir, err := os.MkdirTemp("", "mq-compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, mq: filepath.Join(dir, "mq"), repeat: 5, out: out}
	if s := os.Getenv("REPEAT"); s != "" {
		if b.repeat, err = strconv.Atoi(s); err != nil || b.repeat < 1 {
			return fmt.Errorf("REPEAT=%s: want a number from 1", s)
		}
	}
	if msg, err := exec.Command("go", "build", "-o", b.mq, ".").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %s", msg)
	}
	if b.broker, err = startMosquitto(dir); err != nil {
		return err
	}
	defer b.broker.stop()
	if err := b.head(); err != nil {
		return err
	}
	for _, r := range rows() {
		if wanted(r.name, words) {
			if err := b.row(r); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
		}
	}
	return nil
}

func wanted(name string, words []string) bool {
	for _, w := range words {
		if strings.Contains(name, w) {
			return true
		}
	}
	return len(words) == 0
}

// head says where and with what the figures were made.
func (b *bench) head() error {
	version, err := exec.Command("mosquitto", "-h").Output()
	if len(version) == 0 {
		return err
	}
	first, _, _ := strings.Cut(string(version), "\n")
	_, err = fmt.Fprintf(b.out, "%s, %s, %d cores, %s, %s; medians of %d runs in turn\n\n"+
		"| work | tool | wall | CPU | CPU/message | peak memory | delivered | wall ÷ peer | CPU ÷ peer |\n|---|---|---|---|---|---|---|---|---|\n",
		time.Now().UTC().Format("2006-01-02"), cpuModel(), runtime.NumCPU(), runtime.Version(), first, b.repeat)
	return err
}

func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOOS + "/" + runtime.GOARCH
}

// row runs the contenders of r in turn, so that a change of the machine's mood hits all of them, and prints a line each.
func (b *bench) row(r row) error {
	results := make([][]result, len(r.contenders))
	for range max(1, min(b.repeat, r.most)) {
		for i, c := range r.contenders {
			res, err := c.run(b)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			results[i] = append(results[i], res)
		}
	}
	peer := median(results[0])
	for i, c := range r.contenders {
		m := median(results[i])
		line := fmt.Sprintf("| %s | %s | %s | %s | %.1f µs | %.1f MB | %s |", r.name, c.name, seconds(m.wall), seconds(m.cpu),
			float64(m.cpu.Microseconds())/float64(r.messages), float64(m.memory)/1024, m.deliveredText())
		if i == 0 {
			line += " | |"
		} else {
			line += fmt.Sprintf(" %.2f | %.2f |", float64(m.wall)/float64(peer.wall), float64(m.cpu)/float64(peer.cpu))
		}
		if _, err := fmt.Fprintln(b.out, line); err != nil {
			return err
		}
	}
	return nil
}

func seconds(d time.Duration) string {
	if d < 100*time.Millisecond {
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
