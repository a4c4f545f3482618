package relay

import (
	"slices"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/known"
	"weir/cmd/weir/internal/target"
)

// This file is which targets of a model a request can be sent to: those that
// speak the client's dialect (G23).

// deaf is the targets of a model's route that do not speak a dialect.
type deaf struct {
	dialect dialect.Dialect
	targets []target.Choice
	all     bool
}

// listen finds out which targets of the route speak which dialect.
func (m *Model) listen() {
	m.deaf = nil
	for _, d := range known.Dialects {
		not, n := deaf{dialect: d}, 0
		for i, leg := range m.legs {
			for j, t := range leg.Targets {
				if n++; !t.Upstream.Speaks(d) {
					not.targets = append(not.targets, target.Choice{Leg: i, Target: j})
				}
			}
		}
		if not.all = len(not.targets) == n; len(not.targets) > 0 {
			m.deaf = append(m.deaf, not)
		}
	}
}

// speaks returns a fault if no target of the model, or of its fallbacks, speaks
// a dialect. The client calls the model by that name.
func (m *Model) speaks(d dialect.Dialect, name string) *dialect.Fault {
	if not := m.deafTo(d); not == nil || !not.all {
		return nil
	}
	var others []string
	for _, other := range known.Dialects {
		if not := m.deafTo(other); not == nil || !not.all {
			others = append(others, other.Name())
		}
	}
	return dialect.Untranslated(name, d.Name(), others)
}

// skip takes the targets that do not speak a dialect out of a request's way.
func (m *Model) skip(it *target.Itinerary, d dialect.Dialect) {
	if not := m.deafTo(d); not != nil {
		it.Skip(not.targets)
	}
}

func (m *Model) deafTo(d dialect.Dialect) *deaf {
	i := slices.IndexFunc(m.deaf, func(not deaf) bool { return not.dialect == d })
	if i < 0 {
		return nil
	}
	return &m.deaf[i]
}
