package build

import (
	"context"
	"fmt"
	"slices"
)

// A plan is what the build consists of: the modules in folders, and the
// packages by their import paths.
type plan struct {
	source  *module   // weir
	modules []*module // those in folders, weir first
	pkgs    []pkg     // each with its path
	stamp   stamp
}

// plan looks the packages and weir's source up.
func (o *options) plan(ctx context.Context, t *tool) (*plan, error) {
	p := new(plan)
	for _, one := range o.with {
		if err := p.add(ctx, t, one); err != nil {
			return nil, fmt.Errorf("--with %s: %w", one.given, err)
		}
	}
	source, err := findSource(o.source, p.weirs())
	if err != nil {
		return nil, err
	}
	if p.source, err = readModule(ctx, t, source); err != nil {
		return nil, err
	}
	p.stamp = readStamp(ctx, source)
	return p, p.settleWeir()
}

// add looks up the module of a package that is in a folder.
func (p *plan) add(ctx context.Context, t *tool, one pkg) error {
	if one.folder == "" {
		p.append(one)
		return nil
	}
	folder, err := real(one.folder)
	if err != nil {
		return err
	}
	root, err := rootAbove(folder)
	if err != nil {
		return err
	}
	m, err := readModule(ctx, t, root)
	if err != nil {
		return err
	}
	switch {
	case one.path == "":
		if one.path, err = m.pathOf(folder); err != nil {
			return err
		}
	case !m.holds(one.path):
		return fmt.Errorf("the folder is of the module %s, which cannot have that package", m.path)
	}
	p.append(one)
	return p.addModule(m)
}

// append adds a package, unless it is there under another name.
func (p *plan) append(one pkg) {
	if !slices.ContainsFunc(p.pkgs, func(other pkg) bool { return other.path == one.path }) {
		p.pkgs = append(p.pkgs, one)
	}
}

func (p *plan) addModule(m *module) error {
	for _, other := range p.modules {
		if other.path == m.path && other.folder == m.folder {
			return nil
		}
		if other.path == m.path {
			return fmt.Errorf("the module %s is in %s already", m.path, other.folder)
		}
	}
	p.modules = append(p.modules, m)
	return nil
}

// weirs are the folders with which the packages' own modules replace weir.
func (p *plan) weirs() []string {
	var folders []string
	for _, m := range p.modules {
		for _, r := range m.replaces {
			if r.old == weirPath && r.toVersion == "" {
				folders = append(folders, r.to)
			}
		}
	}
	return folders
}

// settleWeir puts weir before the other modules. It may be among them, as that
// of a package within its own module.
func (p *plan) settleWeir() error {
	for i, m := range p.modules {
		if m.path != weirPath {
			continue
		}
		if m.folder != p.source.folder {
			return fmt.Errorf("a package of weir's own in %s, but its source is %s: give one of them", m.folder, p.source.folder)
		}
		p.modules = slices.Delete(p.modules, i, i+1)
		break
	}
	p.modules = append([]*module{p.source}, p.modules...)
	return nil
}

// fetched are the packages that are in no folder, as go get takes them.
func (p *plan) fetched() []string {
	var wanted []string
	for _, one := range p.pkgs {
		if one.folder != "" || slices.ContainsFunc(p.modules, func(m *module) bool { return m.holds(one.path) }) && one.version == "" {
			continue
		}
		if one.version != "" {
			one.path += "@" + one.version
		}
		wanted = append(wanted, one.path)
	}
	return wanted
}
