package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"vexa-sso/oidc/oidctest"
)

var update = flag.Bool("update", false, "write the table of deploy/docs/growth.md")

// sizes are the two numbers of people that are compared.
func sizes(t *testing.T) [2]int {
	text := os.Getenv("VEXA_SSO_TEST_GROWTH")
	if text == "" {
		t.Skip("takes most of a minute: set VEXA_SSO_TEST_GROWTH=1000,10000")
	}
	small, large, _ := strings.Cut(text, ",")
	var n [2]int
	var errs [2]error
	n[0], errs[0] = strconv.Atoi(small)
	n[1], errs[1] = strconv.Atoi(large)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatalf("VEXA_SSO_TEST_GROWTH is two numbers: %v", err)
	}
	return n
}

// walk is something that is done about one person.
type walk struct {
	name string
	do   func(context.Context, *site, *walker) error
}

// command says whether it is a process of its own, on a wire of its own.
func (w walk) command() bool { return w.name[0] == '`' }

// walker is who does it: people who are in nobody's memory yet.
type walker struct {
	newcomer caller
	person   int // of a command
}

// repeats is how often a walk is done. The least of each number is what it costs: what goes on behind the
// requests only adds.
const repeats = 5

var walks = []walk{
	{"a request by cookie that no replica knows", func(ctx context.Context, s *site, _ *walker) error {
		c, err := s.cookie(s.next())
		if err != nil {
			return err
		}
		return good(ctx, s.to, c)
	}},
	{"a request by token that no replica knows", func(ctx context.Context, s *site, _ *walker) error {
		return good(ctx, s.to, s.token(s.next()))
	}},
	{"a first sign-in", func(ctx context.Context, s *site, w *walker) (err error) {
		w.newcomer, err = signIn(ctx, s.to, s.new())
		return err
	}},
	{"the first request of a newcomer", func(ctx context.Context, s *site, w *walker) error {
		return good(ctx, s.to, w.newcomer)
	}},
	{"a sign-out", func(ctx context.Context, s *site, w *walker) error {
		return signOut(ctx, s.to, w.newcomer)
	}},
	{"a sign-in of somebody who was here", func(ctx context.Context, s *site, _ *walker) error {
		_, err := signIn(ctx, s.to, s.next())
		return err
	}},
	{"`accounts show EMAIL`", func(ctx context.Context, s *site, w *walker) error {
		w.person = s.next()
		return s.about(ctx, "accounts", "show", s.person(w.person).email)
	}},
	{"`explain --email`", func(ctx context.Context, s *site, w *walker) error {
		return s.about(ctx, "explain", "--email", s.person(w.person).email)
	}},
	{"`sessions list --account EMAIL`", func(ctx context.Context, s *site, w *walker) error {
		return s.about(ctx, "sessions", "list", "--account", s.person(w.person).email)
	}},
	{"`accounts suspend EMAIL`", func(ctx context.Context, s *site, w *walker) error {
		return s.about(ctx, "accounts", "suspend", s.person(w.person).email, "--reason", "they left")
	}},
	{"`accounts resume EMAIL`", func(ctx context.Context, s *site, w *walker) error {
		return s.about(ctx, "accounts", "resume", s.person(w.person).email)
	}},
}

// about runs a command of the program about somebody.
func (s *site) about(ctx context.Context, args ...string) error {
	_, err := s.desk.command(ctx, args...)
	return err
}

// cost is what a walk asked of the database.
type cost struct {
	trips, transactions, rows int
	whole                     []string // statements that read a whole table
	sql                       []string
}

// walked does a walk several times, each time with other people, and returns the least of each number.
func walked(ctx context.Context, s *site, walks []walk) (map[string]cost, error) {
	all := map[string][3][]int{}
	costs := map[string]cost{}
	for range repeats {
		w := &walker{}
		for _, walk := range walks {
			way := s.wires[0]
			if walk.command() {
				way = s.deskWire
			}
			stop := plansOf(way)
			var err error
			went := way.during(func() { err = walk.do(ctx, s, w) })
			plans := stop()
			if err != nil {
				return nil, fmt.Errorf("%s, of %d people: %w\n%s", walk.name, s.accounts, err,
					s.replicas[0].said())
			}
			rows := 0
			c := costs[walk.name]
			for _, p := range plans {
				rows += p.Rows
				c.whole = append(c.whole, s.wholeTables(p)...)
				c.sql = append(c.sql, p.SQL)
			}
			costs[walk.name] = c
			m := all[walk.name]
			for i, n := range []int{went.RoundTrips, went.Transactions, rows} {
				m[i] = append(m[i], n)
			}
			all[walk.name] = m
		}
	}
	for name, m := range all {
		c := costs[name]
		c.trips, c.transactions, c.rows = slices.Min(m[0]), slices.Min(m[1]), slices.Min(m[2])
		slices.Sort(c.whole)
		c.whole = slices.Compact(c.whole)
		costs[name] = c
	}
	return costs, nil
}

// wholeTables says which of the tables that grow with the number of people a plan read as a whole.
func (s *site) wholeTables(p plan) (named []string) {
	for _, t := range p.Whole {
		if s.grows[t] {
			named = append(named, t+" by "+p.SQL)
		}
	}
	return named
}

// findGrowing finds the tables that hold more than a twentieth as many rows as there are people.
func (s *site) findGrowing(ctx context.Context) error {
	rows, err := s.db.QueryContext(ctx, `SELECT relname FROM pg_class WHERE relkind = 'r'
		AND relnamespace = 'public'::regnamespace AND reltuples > $1`, s.accounts/20)
	if err != nil {
		return err
	}
	defer rows.Close()
	s.grows = map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		s.grows[name] = true
	}
	return rows.Err()
}

// builtProgram is the program of this tree.
func builtProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "vexa-sso")
	build := exec.Command("go", "build", "-o", program, "vexa-sso/cmd/vexa-sso")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return program
}

// newServer is a PostgreSQL of the test's own.
func newServer(t *testing.T) *postgres {
	t.Helper()
	server, err := newPostgres()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip(err)
	}
	must(t, err)
	t.Cleanup(func() { must(t, server.remove()) })
	must(t, server.create(t.Context()))
	return server
}

// explainedSite is a site of the tree's own program with one replica, all of whose statements are explained.
func explainedSite(t *testing.T, server *postgres, program, name string, accounts int) *site {
	t.Helper()
	s, err := newSite(t.Context(), server, program, name, accounts, 0)
	must(t, err)
	t.Cleanup(s.close)
	must(t, explainAll(t.Context(), s.db, name))
	must(t, s.findGrowing(t.Context()))
	must(t, s.add(t.Context(), server.url(name)))
	s.to = s.replicas[0].client()
	s.deskWire, err = newWire(server.url(name))
	must(t, err)
	t.Cleanup(s.deskWire.close)
	config, err := s.configure("{store}", s.deskWire.URL)
	must(t, err)
	s.desk = &replica{program: program, config: config}
	must(t, s.settled(t.Context()))
	return s
}

// What a person costs does not hang on how many there are: the round trips and transactions and the rows that
// the database reads, of each thing that a person does, or an admin about them. Every statement counts that
// goes over the wire meanwhile, so that none can be forgotten; on SQLite the same statements are planned.
func TestCostsDoNotGrow(t *testing.T) {
	n := sizes(t)
	server, program := newServer(t), builtProgram(t)
	var costs [2]map[string]cost
	for i, name := range []string{"small", "large"} {
		s := explainedSite(t, server, program, name, n[i])
		var err error
		costs[i], err = walked(t.Context(), s, walks)
		must(t, err)
		listsInLittleMemory(t, s.desk, n[i])
		if i == 1 {
			workGoesInBatches(t, s)
		}
	}
	for _, w := range walks {
		compareCosts(t, w.name, n, costs[0][w.name], costs[1][w.name])
	}
	holdTable(t, costs[1])
	onSQLite(t, program, n[1], costs[1])
}

// spareRows is how many rows more a walk may read: of small tables a page is read sooner than an index.
const spareRows = 50

func compareCosts(t *testing.T, name string, n [2]int, few, many cost) {
	t.Helper()
	t.Logf("%-45s %3d round trips, %2d transactions; rows read: %d of %d people, %d of %d", name,
		many.trips, many.transactions, few.rows, n[0], many.rows, n[1])
	for _, whole := range many.whole {
		t.Errorf("%s reads the whole table %s", name, whole)
	}
	if many.rows > few.rows+spareRows {
		t.Errorf("%s reads %d rows of %d people, and %d of %d", name, few.rows, n[0], many.rows, n[1])
	}
	if costsMore(name, many, few) {
		t.Errorf("%s: %d round trips and %d transactions of %d people, %d and %d of %d", name,
			few.trips, few.transactions, n[0], many.trips, many.transactions, n[1])
	}
}

// costsMore says whether a walk took more round trips or transactions than it should. A command races with
// the servers for the work that it sets off: whoever comes second does a little for nothing.
func costsMore(name string, took, should cost) bool {
	if name[0] == '`' {
		should.trips, should.transactions = should.trips+25, should.transactions+6
	}
	return took.trips > should.trips || took.transactions > should.transactions
}

// listMemory is how much a list of everybody takes at most, with the program itself.
const listMemory = 64 << 20

// listsInLittleMemory has everybody listed: by streams, however many they are.
func listsInLittleMemory(t *testing.T, r *replica, people int) {
	t.Helper()
	for _, list := range []string{"accounts", "sessions", "tokens", "keys"} {
		c, err := r.command(t.Context(), list, "list", "--json")
		if err != nil {
			t.Errorf("of %d people: %v", people, err)
		} else if c.rss > listMemory {
			t.Errorf("%s list takes %d MiB of %d people", list, c.rss>>20, people)
		}
	}
}

// batchRows is how many rows one statement of the work behind the requests reads at most: some batches.
const batchRows = 4000

// workGoesInBatches has a replica start and do what is due: proofs, keys to delete, what has expired, and the
// comparison with Vexa.
func workGoesInBatches(t *testing.T, s *site) {
	t.Helper()
	_, err := s.db.ExecContext(t.Context(), `UPDATE leases SET until = 0 WHERE name = 'reconcile'`)
	must(t, err)
	_, err = s.makeDue(t.Context(), s.accounts)
	must(t, err)
	stop := plansOf(s.wires[0])
	s.replicas[0].stop()
	again, err := startReplica(t.Context(), s.program, s.replicas[0].config)
	must(t, err)
	s.replicas[0] = again
	asked, listed := s.provider.asked.Load(), s.vexa.listed.Load()
	oidctest.WaitFor(t, "people to be renewed", func() bool { return s.provider.asked.Load() >= asked+20 })
	oidctest.WaitFor(t, "tokens to be compared", func() bool { return s.vexa.listed.Load() >= listed+20 })
	most := map[string]int{}
	for _, p := range stop() {
		most[p.SQL] = max(most[p.SQL], p.Rows)
	}
	if len(most) < 5 {
		t.Errorf("only %d statements were seen", len(most))
	}
	for statement, rows := range most {
		if rows > batchRows {
			t.Errorf("behind the requests, one statement reads %d rows of %d people: %s", rows, s.accounts,
				statement)
		}
	}
}

// onSQLite lists everybody in a store on SQLite, and has it plan the statements of the walks.
func onSQLite(t *testing.T, program string, people int, costs map[string]cost) {
	t.Helper()
	w, err := newWorld(1, people, 0)
	must(t, err)
	t.Cleanup(w.close)
	path := filepath.Join(w.dir, "vexa-sso.db")
	must(t, makeTables(t.Context(), "sqlite:"+path))
	must(t, fill(t.Context(), "sqlite:"+path, w.population, 0, people))
	config, err := w.configure("{store}", "sqlite:"+path)
	must(t, err)
	listsInLittleMemory(t, &replica{program: program, config: config}, people)
	db, err := sql.Open("sqlite", "file:"+path)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	plannedOnSQLite(t, db, costs)
}

// plannedOnSQLite finds the statements that read a whole table which grows. What SQLite does not
// understand is PostgreSQL's alone.
func plannedOnSQLite(t *testing.T, db *sql.DB, costs map[string]cost) {
	t.Helper()
	planned := map[string]bool{}
	for name, c := range costs {
		for _, statement := range c.sql {
			steps, err := sqlitePlan(t.Context(), db, statement)
			if err != nil {
				continue
			}
			planned[statement] = true
			for _, step := range steps {
				words := strings.Fields(step)
				if len(words) > 1 && words[0] == "SCAN" && slices.ContainsFunc(tables,
					func(t table) bool { return t.name == words[1] }) {
					t.Errorf("%s, on SQLite: %s, by %s", name, step, statement)
				}
			}
		}
	}
	if len(planned) < 20 {
		t.Errorf("SQLite planned only %d statements", len(planned))
	}
}

var placeholder = regexp.MustCompile(`\$\d+`)

func sqlitePlan(ctx context.Context, db *sql.DB, statement string) (steps []string, err error) {
	most := 0
	for _, p := range placeholder.FindAllString(statement, -1) {
		n, _ := strconv.Atoi(p[1:])
		most = max(most, n)
	}
	rows, err := db.QueryContext(ctx, "EXPLAIN QUERY PLAN "+statement, make([]any, most)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, rows.Err()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const growthPage = "../../../deploy/docs/growth.md"

// holdTable compares what was measured with what the docs promise: at most so many.
func holdTable(t *testing.T, costs map[string]cost) {
	t.Helper()
	page, err := os.ReadFile(growthPage)
	must(t, err)
	const begin, end = "<!-- costs -->\n", "<!-- end -->\n"
	before, rest, _ := strings.Cut(string(page), begin)
	table, after, found := strings.Cut(rest, end)
	if !found {
		t.Fatalf("%s has no table between %q and %q", growthPage, begin, end)
	}
	if *update {
		var b strings.Builder
		b.WriteString("| what | round trips | transactions | rows read |\n|---|---|---|---|\n")
		for _, w := range walks {
			c := costs[w.name]
			fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", w.name, c.trips, c.transactions, c.rows)
		}
		must(t, os.WriteFile(growthPage, []byte(before+begin+b.String()+end+after), 0o644))
		return
	}
	for _, w := range walks {
		_, row, ok := strings.Cut(table, "| "+w.name+" |")
		var trips, transactions, rows int
		if _, err := fmt.Sscanf(row, " %d | %d | %d |", &trips, &transactions, &rows); !ok || err != nil {
			t.Errorf("%s says nothing of %s: go test ./cmd/internal/load -run TestCostsDoNotGrow -update",
				growthPage, w.name)
			continue
		}
		c := costs[w.name]
		promised := cost{trips: trips, transactions: transactions}
		if costsMore(w.name, c, promised) || c.rows > rows+spareRows {
			t.Errorf("%s: %d round trips, %d transactions and %d rows; %s promises %d, %d and %d", w.name,
				c.trips, c.transactions, c.rows, growthPage, trips, transactions, rows)
		}
	}
}
