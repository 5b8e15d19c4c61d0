"""A job that writes a file, and one in a worker of Ray, each in a folder of its own.

python -m tests.stub_files FOLDER
"""

from pathlib import Path

from jobs.command_line import run_job
from jobs.ray_cluster import connect_to_ray


def main(arguments: list[str]) -> None:
    connect_to_ray()
    import ray

    def write(name: str) -> None:
        folder = Path(arguments[0], name)
        folder.mkdir()
        (folder / "file").write_text("something")

    write("job")
    ray.get(ray.remote(write).remote("worker"))


if __name__ == "__main__":
    run_job(main)
