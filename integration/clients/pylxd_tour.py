"""Walks through a server with pylxd; prints a line for each step that held."""
import io
import os
import sys

import pylxd
from pylxd.exceptions import NotFound

client = pylxd.Client()
image_file = sys.argv[1]


def step(name, held):
    print(name)
    if not held:
        sys.exit(f"{name}: does not hold")


step("server", client.trusted and client.host_info["environment"]["server"] == "lxd")

with open(image_file, "rb") as image_data:
    image = client.images.create(image_data, wait=True)
image.add_alias("py", "for pylxd")
step("images", client.images.get_by_alias("py").fingerprint == image.fingerprint and client.images.exists(image.fingerprint))
image.properties["note"] = "kept"
image.save(wait=True)
step("image properties", client.images.get(image.fingerprint).properties["note"] == "kept")
exported = image.export()
step("image export", len(exported.read()) == os.path.getsize(image_file))

profile = client.profiles.create("py", config={"user.x": "1"}, devices={})
profile.config["user.x"] = "2"
profile.save()
step("profiles", client.profiles.get("py").config["user.x"] == "2")

source = {"type": "image", "alias": "py"}
instance = client.containers.create({"name": "py1", "source": source, "profiles": ["default", "py"]}, wait=True)
instance.start(wait=True)
step("start", client.containers.get("py1").status == "Running")
code, out, err = instance.execute(["sh", "-c", "cat; echo err >&2; exit 3"], stdin_payload=b"in")
step("execute", (code, out, err) == (3, "in", "err\n"))
lines = []
instance.execute(["printf", "a\\nb\\n"], stdout_handler=lines.append)
step("execute with a handler", "".join(lines).replace("\r", "") == "a\nb\n")

instance.files.put("/root/note", b"text", mode=0o600, uid=1000, gid=1000)
step("files", instance.files.get("/root/note") == b"text")
instance.files.delete("/root/note")
try:
    instance.files.get("/root/note")
    step("deleted files", False)
except NotFound:
    step("deleted files", True)

state = instance.state()
step("state", state.pid > 0 and state.processes > 0 and "lo" in state.network)
instance.config["limits.memory"] = "128MiB"
instance.save(wait=True)
step("config", client.containers.get("py1").config["limits.memory"] == "128MiB")

snapshot = instance.snapshots.create("s1", stateful=False, wait=True)
step("snapshots", [each.name for each in instance.snapshots.all()] == ["s1"])
snapshot.rename("s2", wait=True)
instance.restore_snapshot("s2", wait=True)
instance.snapshots.get("s2").delete(wait=True)
step("restored", instance.snapshots.all() == [])

instance.freeze(wait=True)
step("freeze", client.containers.get("py1").status == "Frozen")
instance.unfreeze(wait=True)
instance.stop(force=True, wait=True)
published = instance.publish(public=False, wait=True)
step("publish", client.images.exists(published.fingerprint))
published.delete(wait=True)
instance.rename("py2", wait=True)
step("rename", client.containers.exists("py2") and not client.containers.exists("py1"))
instance.delete(wait=True)

pool = client.storage_pools.get("default")
step("pools", pool.driver != "" and pool.resources.get().space["total"] > 0)
network = client.networks.create("pybr0", description="d", type="bridge", config={"ipv4.address": "none", "ipv6.address": "none"})
network.description = "changed"
network.save()
step("networks", client.networks.get("pybr0").description == "changed")
network.delete()
step("certificates", client.certificates.all() == [])

profile.delete()
image.delete(wait=True)
step("deleted", not client.images.exists(image.fingerprint))
