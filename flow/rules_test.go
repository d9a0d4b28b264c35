package flow

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mq/packet"
)

// TestRules plays every conversation of testdata/rules and compares all findings: what is listed must be found, and
// nothing else, notes of single packets apart. A conversation is named by its rule; "near" marks those that look like a
// breach of it and are none.
func TestRules(t *testing.T) {
	files, _ := filepath.Glob("testdata/rules/*.txt")
	triggered, near := map[string]bool{}, map[string]bool{}
	n := 0
	for _, file := range files {
		for _, c := range loadCases(t, file) {
			n++
			key, rest, _ := strings.Cut(c.name, " ")
			isNear := strings.HasPrefix(rest, "near")
			t.Run(c.name, func(t *testing.T) {
				s := newScript(t, Options{})
				for _, l := range c.lines {
					s.run(l)
				}
				s.t.Finish(s.now)
				var got []string
				for _, f := range s.findings {
					got = append(got, f.Key)
				}
				slices.Sort(got)
				slices.Sort(c.want)
				if !slices.Equal(got, c.want) {
					t.Errorf("%s:%d: found %v, want %v\n%s", file, c.line, got, c.want, strings.Join(s.events, "\n"))
				}
				if isNear == slices.Contains(c.want, key) {
					t.Errorf("%s:%d: %s is wanted in the wrong kind of script", file, c.line, key)
				}
			})
			if isNear {
				near[key] = true
			} else {
				triggered[key] = true
			}
		}
	}
	if n == 0 {
		t.Fatal("no scripts")
	}
	for _, r := range Rules() {
		if !triggered[r.Key] || !near[r.Key] {
			t.Errorf("%s: trigger %v, near miss %v", r.Key, triggered[r.Key], near[r.Key])
		}
	}
}

// notChecked are the rows of the list that no rule of this package stands for, and why.
var notChecked = map[string]string{
	"A6":  "one packet is enough: package packet checks it",
	"A16": "cannot be observed on the wire",
	"C21": "the same observation as D30, which is reported",
	"C43": "no rule: it is the key that sessions are matched by",
	"D10": "the same bytes as D9, which package packet reports",
	"E33": "3.1.1 has no negative acknowledgement: a code there is F6 of package packet, and 5.0 allows it",
	"E40": "a stored message without RETAIN cannot be told from a live one",
	"F16": "no breach exists: a freed packet identifier counts as free (see the near misses of M4 and M8)",
	"F17": "no breach exists: a freed packet identifier counts as free",
	"F18": "no breach exists: a freed packet identifier counts as free",
	"M2":  "that a subscription no longer delivers is M27",
	"M3":  "queues have limits and messages expire: what did not arrive cannot be called lost",
	"M14": "the same observation as M13, which is reported",
	"M15": "that a subscription no longer delivers is M27",
	"M16": "the same observation as D5 (3.1.1) and M17 (5.0), which are reported",
	"M19": "the same observation as E41, which is reported",
	"M22": "needs to know what the application publishes",
	"M27": "access rules, No Local, limits and lossy QoS 0 make absence no proof, and every publish would have to be matched with every session",
	"N3":  "the same observation as N1 and N2, which are reported",
	"N5":  "the same observation as I3, which is reported",
	"N8":  "no breach exists: it explains why a delivery is missing",
}

// TestStatements compares the catalogue with the project's list of statements.
func TestStatements(t *testing.T) {
	b, err := os.ReadFile("testdata/statements.txt")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]packet.Rule{}
	for _, r := range Rules() {
		if _, twice := rules[r.Key]; twice {
			t.Errorf("%s stands twice in the catalogue", r.Key)
		}
		rules[r.Key] = r
	}
	rows, implemented := 0, 0
	for line := range strings.Lines(string(b)) {
		rows++
		f := strings.Split(strings.TrimSpace(line), "|")
		key := f[0]
		r, ok := rules[key]
		switch why := notChecked[key]; {
		case ok && why != "":
			t.Errorf("%s is checked and listed as not checked", key)
		case !ok && why == "":
			t.Errorf("%s is neither checked nor said not to be", key)
		case ok:
			implemented++
			compareRow(t, f, r)
		default:
			t.Logf("%s is not checked: %s", key, why)
		}
		delete(rules, key)
	}
	if rows != 182 {
		t.Errorf("%d rows in the list, want 182", rows)
	}
	for key := range rules {
		t.Errorf("%s is not in the list", key)
	}
	t.Logf("%d of %d rows are checked", implemented, rows)
}

// compareRow compares a rule with its row: key, 3.1.1, 5.0, who, severity, scope, code.
func compareRow(t *testing.T, f []string, r packet.Rule) {
	for i, id := range []string{r.V311, r.V5} {
		col := f[1+i]
		if r.Key == "G19" && i == 0 {
			continue // in 3.1.1 a server cannot say that wildcards are unavailable
		}
		if id == "" && col != "—" || id != "" && !strings.Contains(" "+strings.ReplaceAll(col, ",", " ")+" ", " "+id+" ") {
			t.Errorf("%s: %q is not in %q", r.Key, id, col)
		}
	}
	want := strings.Fields(f[4])[0]
	if sev := max(r.Sev311, r.Sev5).String(); sev != want {
		t.Errorf("%s: %s, want %s", r.Key, sev, want)
	}
	if side := map[string]packet.Side{"client": client, "server": server, "both": either}[f[3]]; side != r.Side {
		t.Errorf("%s: side %v, want %s", r.Key, r.Side, f[3])
	}
	hasCode := strings.HasPrefix(strings.Trim(f[6], "("), "0x")
	if hasCode != (r.Code != 0) || hasCode && strings.HasPrefix(f[6], "(") == r.Named {
		t.Errorf("%s: code %v named %v, want %s", r.Key, r.Code, r.Named, f[6])
	}
}

// TestKeysExist looks for keys in the source that the catalogue does not have.
func TestKeysExist(t *testing.T) {
	files, _ := filepath.Glob("*.go")
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || name == "rules.go" {
			continue
		}
		b, _ := os.ReadFile(name)
		for _, w := range strings.Split(string(b), `"`) {
			if len(w) >= 2 && len(w) <= 3 && w[0] >= 'A' && w[0] <= 'P' && strings.Trim(w[1:], "0123456789") == "" && lookup(w) == nil {
				if w != "A1" && w != "F1" && w != "G1" && w != "H1" && w != "J1" && w != "K1" && w != "C19" {
					t.Errorf("%s: %s is not in the catalogue", name, w)
				}
			}
		}
	}
}
