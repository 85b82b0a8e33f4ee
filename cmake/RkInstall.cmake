# What "cmake --install" installs: headers, libraries, pkg-config file, CMake package, man pages.
# Programs are installed by rk_program.
#
# The build folder has the layout of an installed tree, so that rk finds what it needs in both by the
# path from its own place: ../include (headers for rk build) and ../lib/ringkernel/kernels (bundles of
# the built-in kernels). What a folder generates below build/share (shell completions) is installed.
#
# Everything found at run time is found relative to its own place, so that an installed tree can be
# moved: the .pc file and the CMake package hold no absolute path.
include(CMakePackageConfigHelpers)

set(rk_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/RingKernel")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/ringkernel" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.h")
file(CREATE_LINK "${PROJECT_SOURCE_DIR}/include" "${PROJECT_BINARY_DIR}/include" SYMBOLIC)
file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/lib/ringkernel/kernels" "${PROJECT_BINARY_DIR}/share")
install(DIRECTORY "${PROJECT_BINARY_DIR}/share/" DESTINATION "${CMAKE_INSTALL_DATADIR}")
install(DIRECTORY "${PROJECT_BINARY_DIR}/lib/ringkernel/kernels" DESTINATION lib/ringkernel)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")

if(TARGET ringkernel)
  install(TARGETS ringkernel ringkernel-static EXPORT RingKernelTargets
          LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
          ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
          INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  install(EXPORT RingKernelTargets NAMESPACE RingKernel:: DESTINATION "${rk_cmake_dir}")

  configure_package_config_file(
    "${PROJECT_SOURCE_DIR}/cmake/RingKernelConfig.cmake.in"
    "${PROJECT_BINARY_DIR}/RingKernelConfig.cmake" INSTALL_DESTINATION "${rk_cmake_dir}")
  # Before 1.0 a minor version may change the interface.
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/RingKernelConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)
  install(FILES "${PROJECT_BINARY_DIR}/RingKernelConfig.cmake"
                "${PROJECT_BINARY_DIR}/RingKernelConfigVersion.cmake"
          DESTINATION "${rk_cmake_dir}")

  file(RELATIVE_PATH rk_pc_to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  string(REGEX REPLACE "/$" "" rk_pc_to_prefix "${rk_pc_to_prefix}")
  configure_file("${PROJECT_SOURCE_DIR}/cmake/ringkernel.pc.in" "${PROJECT_BINARY_DIR}/ringkernel.pc"
                 @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/ringkernel.pc"
          DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endif()

foreach(section 1 3 5 7)
  file(GLOB pages CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/docs/man/*.${section}")
  if(pages)
    install(FILES ${pages} DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}")
  endif()
endforeach()
