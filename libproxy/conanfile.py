# SPDX-License-Identifier: Apache-2.0
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load

required_conan_version = ">=2.28"


class StrataProxy(ConanFile):
    name = "strata-proxy"
    license = "Apache-2.0"
    description = "SOCKS and HTTP proxy with rules, chains and tunnels"
    topics = ("networking", "proxy", "socks5", "ech")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False]}
    default_options = {"shared": False, "fPIC": True}
    implements = ["auto_shared_fpic"]
    generators = "CMakeDeps"
    exports = "CMakeLists.txt"

    def set_version(self):
        lists = load(self, os.path.join(self.recipe_folder, "CMakeLists.txt"))
        self.version = self.version or re.search(r"^project\(\S+ VERSION (\S+)", lists, re.M).group(1)

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "..")
        copy(self, "LICENSE", src=root, dst=self.export_sources_folder)
        copy(self, "cmake/*", src=root, dst=self.export_sources_folder)
        copy(self, "libproxy/*", src=root, dst=self.export_sources_folder,
             excludes=["*/test_package/*", "*/conanfile.py", "*/CMakeUserPresets.json", "*/__pycache__/*"])

    def configure(self):
        if self.options.shared:
            # Several shared libraries with the archives in each would be several OpenSSLs in one process.
            self.options["openssl"].shared = True
            self.options["strata-*"].shared = True

    def requirements(self):
        self.requires("strata-transport/0.1.0", transitive_headers=True, transitive_libs=True)
        self.requires("strata-mux/0.1.0", transitive_headers=True, transitive_libs=True)
        self.requires("openssl/[>=3.5.2 <5]")
        # Asio is part of the ABI: exactly the version that the library was built with.
        self.requires("asio/1.30.2", transitive_headers=True)
        self.requires("fmt/[>=9.1]")
        self.requires("spdlog/[>=1.10]")

    def layout(self):
        self.folders.root = ".."
        self.folders.subproject = "libproxy"
        cmake_layout(self, build_folder="../build/conan/proxy")

    def validate(self):
        check_min_cppstd(self, 23)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["STRATA_INSTALL"] = True
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", src=os.path.join(self.source_folder, ".."), dst=os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        # The package brings its own config: what Conan would write knows nothing of the platform's dependencies.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.set_property("cmake_file_name", "strata-proxy")
        self.cpp_info.set_property("cmake_target_name", "strata::proxy")
        self.cpp_info.set_property("pkg_config_name", "strata-proxy")
        self.cpp_info.builddirs = [os.path.join("lib", "cmake", "strata-proxy")]
        self.cpp_info.libs = ["strata-proxy"]
        self.cpp_info.requires = ["strata-transport::strata-transport", "strata-mux::strata-mux", "openssl::ssl", "openssl::crypto", "asio::asio", "fmt::fmt", "spdlog::spdlog"]
        if not self.options.shared:
            self.cpp_info.defines = ["STRATA_PROXY_STATIC_DEFINE"]
