"""How torch modules are trained and asked, alone or many as one."""
