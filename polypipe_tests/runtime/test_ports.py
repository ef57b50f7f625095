"""Where the web servers may and can listen."""

import errno
import socket

import pytest

from polypipe.runtime.ports import PolypipeError, PortInUse, check_port, check_ports, free_port
from polypipe_tests.conftest import settings_for


def test_a_port_in_use_is_refused_and_a_free_one_is_not():
    port = free_port()
    check_port("127.0.0.1", port, "V")
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        with pytest.raises(PortInUse, match=f"^port {port} is in use by another program: set V to a free one$"):
            check_port("127.0.0.1", port, "V")


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b", "2001:db8::1"])
def test_a_host_of_another_machine_is_not_reported_as_a_port_in_use(host):
    with pytest.raises(PolypipeError, match=f"^POLYPIPE_DASHBOARD_HOST: {host} is not an address of this machine$"):
        check_port(host, free_port(), "POLYPIPE_DASHBOARD_PORT")


def test_a_privileged_port_is_refused(monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(PolypipeError, match=r"^port 80 needs root: set V to a port from 1024 up$"):
        check_port("127.0.0.1", 80, "V")


@pytest.mark.parametrize("host", [{}, {"POLYPIPE_DASHBOARD_HOST": "0.0.0.0"}])
def test_one_port_for_both_servers_is_refused(sim, host):
    port = str(free_port())
    ports = {"POLYPIPE_WEBSERVER_PORT": port, "POLYPIPE_DASHBOARD_PORT": port}
    with pytest.raises(PolypipeError, match=f"_WEBSERVER_PORT and POLYPIPE_DASHBOARD_PORT are both {port}: set one"):
        check_ports(settings_for(sim.url, **ports, **host))
