package standin.deploy;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/** A packed project (.iar), or an archive (.zip) with such projects at its top level. */
record Artefact(Path file) {

  static boolean isArtefact(Path file) {
    String name = file.getFileName().toString();
    return !name.startsWith(".") && (name.endsWith(".zip") || name.endsWith(".iar")) && Files.isRegularFile(file);
  }

  static String applicationName(Path file) {
    return file.getFileName().toString().replaceFirst("\\.(zip|iar)$", "");
  }

  String digest() throws IOException {
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      try (InputStream in = new DigestInputStream(Files.newInputStream(file), sha)) {
        in.transferTo(OutputStream.nullOutputStream());
      }
      return HexFormat.of().formatHex(sha.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Fails on a file that is not an archive, for instance because it is still being written. */
  void unpackTo(Path directory) throws IOException, DeploymentException {
    Files.createDirectories(directory);
    if (file.toString().endsWith(".iar")) {
      Files.copy(file, directory.resolve(file.getFileName().toString()));
      return;
    }
    try (var zip = new ZipFile(file.toFile())) {
      if (zip.stream().noneMatch(entry -> entry.getName().matches("[^/]+\\.iar"))) {
        throw new DeploymentException("There is no .iar at the top of " + file.getFileName());
      }
      for (ZipEntry entry : zip.stream().filter(entry -> !entry.isDirectory()).toList()) {
        Path target = directory.resolve(entry.getName()).normalize();
        if (!target.startsWith(directory)) {
          throw new DeploymentException("An entry of the archive leads out of it: " + entry.getName());
        }
        Files.createDirectories(target.getParent());
        try (InputStream in = zip.getInputStream(entry)) {
          Files.copy(in, target);
        }
      }
    } catch (ZipException e) {
      throw new DeploymentException("Not a readable archive: " + file.getFileName() + ": " + e.getMessage());
    }
  }
}
