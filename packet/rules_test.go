package packet

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// wRule is a row of the project's list of statements that one packet alone can break.
type wRule struct{ key, v311, v5, who, severity, code string }

func loadRules(t *testing.T) map[string]wRule {
	t.Helper()
	rows := map[string]wRule{}
	for line := range strings.Lines(readText(t, "testdata/w_rules.txt")) {
		c := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") || len(c) != 6 {
			continue
		}
		rows[c[0]] = wRule{c[0], c[1], c[2], c[3], c[4], c[5]}
	}
	if len(rows) < 130 {
		t.Fatalf("%d rules, there were 133", len(rows))
	}
	return rows
}

// reportedAs lists the rows that this package reports under another row, because several statements speak about the same
// bytes, or not at all.
var reportedAs = map[string]string{
	"A12": "",    // a stray identifier of QoS 0 looks like payload or breaks another rule
	"B8":  "",    // permits
	"C7":  "C11", // a surplus field can be a will's or a user name
	"C16": "",    // fields in another order are other fields
	"E2":  "E1",
	"L3":  "F7", // and the row of every other property
	"P1":  "E5",
	"P5":  "B2",
	"P6":  "", // a two-byte length cannot say more
}

// foundKeys returns what is found in the vectors: for each key one finding of each version and severity.
func foundKeys(t *testing.T) map[string][]Finding {
	found := map[string][]Finding{}
	for _, v := range loadVectors(t) {
		for _, f := range Lint(v.bytes, v.version, v.dir) {
			found[f.Key] = append(found[f.Key], f)
		}
	}
	return found
}

// TestStatements holds the findings in the vectors to the list of statements: every row is reported, with its numbers,
// its weight and its reason code.
func TestStatements(t *testing.T) {
	found := foundKeys(t)
	for key, row := range loadRules(t) {
		as, other := reportedAs[key]
		if !other {
			as = key
		}
		if as == "" {
			if len(found[key]) > 0 {
				t.Errorf("%s is reported: %+v", key, found[key][0])
			}
			continue
		}
		if len(found[as]) == 0 {
			t.Errorf("%s: no vector breaks it", key)
		}
		if other {
			continue
		}
		for _, f := range found[key] {
			checkStatement(t, row, f)
		}
		if !slices.ContainsFunc(found[key], func(f Finding) bool { return strings.Contains(row.severity, f.Severity.String()) }) {
			t.Errorf("%s is never of severity %q", key, row.severity)
		}
		if row.v5 != "—" && !slices.ContainsFunc(found[key], func(f Finding) bool { return f.Version == V5 }) {
			t.Errorf("%s: no vector breaks it in 5.0", key)
		}
		if row.v311 != "—" && !slices.ContainsFunc(found[key], func(f Finding) bool { return f.Version == V311 }) {
			t.Errorf("%s: no vector breaks it in 3.1.1", key)
		}
	}
}

func checkStatement(t *testing.T, row wRule, f Finding) {
	t.Helper()
	cell := row.v5
	switch f.Version {
	case V31:
		if f.Rule != "" {
			t.Errorf("%s cites %s in 3.1, which has no numbers", f.Key, f.Rule)
		}
		return
	case V311:
		cell = row.v311
	}
	id := strings.TrimPrefix(strings.TrimPrefix(f.Rule, "MQTT-"), "§")
	if !strings.Contains(cell, id) && !sectionRange(cell, id) && !strings.HasPrefix(cell, "annex") && f.Severity == SeverityError {
		t.Errorf("%s in %v is %q, the list has %q", f.Key, f.Version, f.Rule, cell)
	}
	if f.Version == V5 && f.Code != 0 && f.Severity == SeverityError && f.Rule[:1] != "§" {
		general := strings.Contains(row.code, fmt.Sprintf("(0x%02X)", byte(f.Code)))
		if !strings.Contains(row.code, fmt.Sprintf("0x%02X", byte(f.Code))) || general == f.CodeNamed {
			t.Errorf("%s answers 0x%02X (named: %v), the list has %q", f.Key, byte(f.Code), f.CodeNamed, row.code)
		}
	}
	if (f.Side == SideClient && row.who == "server" || f.Side == SideServer && row.who == "client") && f.Side != SideUnknown {
		t.Errorf("%s blames the %v, the list has %q", f.Key, f.Side, row.who)
	}
}

// sectionRange reports whether the cell is a range of sections that holds id.
func sectionRange(cell, id string) bool {
	from, to, ok := strings.Cut(strings.ReplaceAll(cell, "§", ""), " – ")
	return ok && strings.HasPrefix(to, from[:strings.LastIndexByte(from, '.')]) && from <= id && id <= to
}

func TestRules(t *testing.T) {
	found := foundKeys(t)
	seen := map[*Rule]bool{}
	if n := len(Rules()); n != len(allRules()) || n < 90 {
		t.Errorf("%d rules", n)
	}
	for _, r := range allRules() {
		if seen[r] {
			t.Errorf("%s is listed twice", r.Key)
		}
		seen[r] = true
		if r.Key == "" || r.Text == "" || r.Err == nil || strings.HasSuffix(r.Text, ".") {
			t.Errorf("%+v is incomplete", *r)
		}
		if max(r.Sev31, r.Sev311, r.Sev5) == SeverityNone {
			t.Errorf("%s weighs nothing in any version", r.Key)
		}
		if r.ID(V31) != "" {
			t.Errorf("%s has the number %s in 3.1", r.Key, r.ID(V31))
		}
		if r.Key != "type" && !slices.ContainsFunc(found[r.Key], func(f Finding) bool { return f.Text == r.Text }) && r != &ruleVersion {
			t.Errorf("%s (%s): no vector breaks it", r.Key, r.Text)
		}
	}
}

func TestRuleNames(t *testing.T) {
	for i := range 256 {
		for _, s := range []string{Severity(i).String(), Side(i).String(), Direction(i).String(), Kind(i).String(), PropertyType(i).String()} {
			if s == "" {
				t.Errorf("value %d has no name", i)
			}
		}
	}
	if ClientToServer.Sender() != SideClient || ServerToClient.Sender() != SideServer || DirUnknown.Sender() != SideUnknown {
		t.Error("Sender")
	}
}
