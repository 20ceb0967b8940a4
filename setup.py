"The package's metadata, read from settings.ini so that nothing is written twice."
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
config = ConfigParser(delimiters=["="])
config.read(here / "settings.ini", encoding="utf8")
settings = config["DEFAULT"]


def words(key):
    return settings.get(key, "").split()


setup(
    name=settings["lib_name"],
    version=settings["version"],
    description=settings["description"],
    long_description=(here / "README.md").read_text(encoding="utf8"),
    long_description_content_type="text/markdown",
    author=settings["author"],
    author_email=settings["author_email"],
    url=settings["git_url"],
    license="Apache-2.0",
    keywords=settings["keywords"],
    packages=find_packages(include=["msa_lit", "msa_lit.*"]),
    package_data={"msa_lit": ["papers/*.csv", "papers/*.json", "audit/*.csv", "book/claims/*.csv",
                               "book/*.toml", "book/*.json", "data/*.csv"]},
    python_requires=f">={settings['min_python']}",
    install_requires=words("requirements"),
    extras_require={name: words(f"{name}_requirements")
                    for name in ("dev", "search", "minilm", "own", "media", "book")},
    entry_points={"console_scripts": words("console_scripts"),
                  "nbdev": [f"{settings['lib_name']}={settings['lib_name']}._modidx:d"]},
    classifiers=["Programming Language :: Python :: 3",
                 "License :: OSI Approved :: Apache Software License",
                 "Topic :: Scientific/Engineering :: Artificial Intelligence"],
    zip_safe=False,
)
