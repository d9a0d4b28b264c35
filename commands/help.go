package commands

import (
	"fmt"
	"slices"
	"strings"
)

// Widths of the help in cells: it must fit a terminal of 80.
const (
	helpWidth  = 80
	helpColumn = 30
)

// appHelp is what `mq --help` prints.
func appHelp(commands []*command) string {
	var b strings.Builder
	b.WriteString("mq - MQTT from the shell: publish, subscribe, and a broker to try it on\n\n")
	b.WriteString("usage: mq COMMAND [options]\n\ncommands:\n")
	for _, c := range commands {
		row(&b, "  "+c.name, 12, c.usage)
	}
	row(&b, "  help", 12, "print the help of a command: mq help pub")
	b.WriteString("\nA newcomer starts with: mq demo\n\n")
	b.WriteString(exitHelp())
	b.WriteString("\n" + sourcesHelp)
	return b.String()
}

const sourcesHelp = `Every option is also an environment variable (--keepalive is MQ_KEEPALIVE) and
a line of ~/.config/mq/config (keepalive 30). The command line comes first, then
the environment, then files.
`

// exitHelp is the table of exit statuses as text, in ascending order.
func exitHelp() string {
	var b strings.Builder
	b.WriteString("exit statuses:\n")
	for _, s := range sortedStatuses() {
		row(&b, fmt.Sprintf("  %d", s.code), 8, s.meaning)
	}
	return b.String()
}

func sortedStatuses() []exitStatus {
	rows := slices.Clone(exitStatuses)
	slices.SortFunc(rows, func(a, b exitStatus) int { return a.code - b.code })
	return rows
}

// commandHelp is what `mq COMMAND --help` prints.
func commandHelp(c *command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "mq %s - %s\n\n", c.name, c.usage)
	fmt.Fprintf(&b, "usage: mq %s %s\n", c.name, c.args)
	if c.about != "" {
		for _, p := range strings.Split(c.about, "\n\n") {
			b.WriteString("\n" + wrap(p, 0) + "\n")
		}
	}
	if len(c.subs) > 0 {
		b.WriteString("\ncommands:\n")
	}
	for _, sub := range c.subs {
		row(&b, "  mq "+sub.name, 24, sub.usage)
	}
	for _, g := range groups(c.options) {
		fmt.Fprintf(&b, "\n%s:\n", g)
		for _, o := range c.options {
			if o.group == g {
				row(&b, "  "+o.String(), helpColumn, o.usage)
			}
		}
	}
	b.WriteString("\nexamples:\n")
	for _, e := range c.example {
		fmt.Fprintf(&b, "  %s\n      %s\n", e.line, e.what)
	}
	b.WriteString("\n" + exitHelp() + "\n" + sourcesHelp)
	return b.String()
}

// groups lists the headings in the order in which the options first use them.
func groups(options []*option) []string {
	var out []string
	for _, o := range options {
		if !slices.Contains(out, o.group) {
			out = append(out, o.group)
		}
	}
	return out
}

// row writes a label and, from a column on, its text.
func row(b *strings.Builder, label string, column int, text string) {
	b.WriteString(label)
	if n := len(label); n < column-1 {
		b.WriteString(strings.Repeat(" ", column-n))
	} else {
		b.WriteString("\n" + strings.Repeat(" ", column))
	}
	b.WriteString(strings.TrimLeft(wrap(text, column), " ") + "\n")
}

// wrap breaks text into lines of helpWidth that begin in the given column.
func wrap(text string, column int) string {
	margin := strings.Repeat(" ", column)
	var lines []string
	line := margin
	for _, w := range strings.Fields(text) {
		if len(line)+len(w) > helpWidth && line != margin {
			lines = append(lines, strings.TrimRight(line, " "))
			line = margin
		}
		line += w + " "
	}
	return strings.Join(append(lines, strings.TrimRight(line, " ")), "\n")
}
