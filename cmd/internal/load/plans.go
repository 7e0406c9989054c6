package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

// plan is how PostgreSQL answered a statement: what auto_explain says of it, over the wire.
type plan struct {
	SQL   string
	Rows  int      // that were read, whether or not they fitted
	Whole []string // tables that were read from one end to the other
}

// planNode is a node of a plan (EXPLAIN's FORMAT JSON).
type planNode struct {
	Type    string     `json:"Node Type"`
	Table   string     `json:"Relation Name"`
	Rows    float64    `json:"Actual Rows"`
	Loops   float64    `json:"Actual Loops"`
	Removed float64    `json:"Rows Removed by Filter"`
	Recheck float64    `json:"Rows Removed by Index Recheck"`
	Plans   []planNode `json:"Plans"`
}

// explainAll has the server explain, from the next connection on, everything that is asked of a database,
// what its own checks of foreign keys ask included.
func explainAll(ctx context.Context, db *sql.DB, database string) error {
	for setting, value := range map[string]string{
		"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0",
		"auto_explain.log_analyze": "on", "auto_explain.log_timing": "off",
		"auto_explain.log_format": "json", "auto_explain.log_level": "notice",
		"auto_explain.log_nested_statements": "on",
	} {
		_, err := db.ExecContext(ctx,
			fmt.Sprintf("ALTER DATABASE %s SET %s = '%s'", database, setting, value))
		if err != nil {
			return err
		}
	}
	return nil
}

// plansOf collects the plans that come over wires, until it is told to stop.
func plansOf(wires ...*wire) (stop func() []plan) {
	var mu sync.Mutex
	var all []plan
	hear := func(notice string) {
		_, text, ok := strings.Cut(notice, "plan:\n")
		if !ok {
			return
		}
		var said struct {
			SQL  string   `json:"Query Text"`
			Plan planNode `json:"Plan"`
		}
		if json.Unmarshal([]byte(text), &said) != nil {
			return
		}
		p := plan{SQL: strings.Join(strings.Fields(said.SQL), " ")}
		p.add(said.Plan)
		mu.Lock()
		all = append(all, p)
		mu.Unlock()
	}
	for _, w := range wires {
		w.mu.Lock()
		w.hear = hear
		w.mu.Unlock()
	}
	return func() []plan {
		for _, w := range wires {
			w.mu.Lock()
			w.hear = nil
			w.mu.Unlock()
		}
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func (p *plan) add(n planNode) {
	if strings.HasSuffix(n.Type, "Scan") && n.Type != "Bitmap Index Scan" {
		p.Rows += int((n.Rows + n.Removed + n.Recheck) * n.Loops)
	}
	if n.Type == "Seq Scan" && n.Loops > 0 {
		p.Whole = append(p.Whole, n.Table)
	}
	for _, below := range n.Plans {
		p.add(below)
	}
}
