package standin.config;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Parse;
import org.snakeyaml.engine.v2.common.ScalarStyle;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.events.ScalarEvent;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import standin.EngineVersion;

/** {@code ${encrypt:}} and {@code ${hash:}}, which the engine replaces in the file itself when it loads it. */
final class Macros {
  private static final Pattern CLEAR = Pattern.compile("\\$\\{(encrypt|hash):(.*)}", Pattern.DOTALL);
  private static final Pattern SECRET = Pattern.compile("\\$\\{decrypt:(.*)}", Pattern.DOTALL);
  private static final Pattern BASE64 = Pattern.compile("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?");
  private static final Pattern ESCAPE = Pattern.compile("\\\\u([0-9a-fA-F]{4})");

  private record Replacement(int start, int end, String text) {}

  private static volatile boolean writesBase64;

  private Macros() {}

  /** There are two forms of an encrypted value. Both can be read. */
  static void writeForm(EngineVersion version) {
    writesBase64 = version.writesBase64();
  }

  /**
   * Writes the file in place, so that watchers see a modification. The file is never empty in between, since another
   * process may read it.
   */
  static boolean rewrite(Path file) throws IOException, ConfigurationException {
    String before = Files.readString(file);
    String after = rewrite(before);
    if (after.equals(before)) {
      return false;
    }
    byte[] bytes = after.getBytes(StandardCharsets.UTF_8);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(bytes));
      channel.truncate(bytes.length);
    }
    return true;
  }

  static String rewrite(String text) throws ConfigurationException {
    if (!text.contains("${encrypt:") && !text.contains("${hash:")) {
      return text;
    }
    var result = new StringBuilder(text);
    List<Replacement> replacements = replacements(text);
    for (int i = replacements.size() - 1; i >= 0; i--) {
      Replacement replacement = replacements.get(i);
      result.replace(replacement.start, replacement.end, replacement.text);
    }
    return result.toString();
  }

  static String resolve(String value) {
    Matcher matcher = SECRET.matcher(value);
    return matcher.matches() ? Cipher.decrypt(bytes(matcher.group(1))) : value;
  }

  private static List<Replacement> replacements(String text) throws ConfigurationException {
    var found = new ArrayList<Replacement>();
    try {
      for (Event event : new Parse(LoadSettings.builder().build()).parseString(text)) {
        if (event instanceof ScalarEvent scalar && !isBlock(scalar)) {
          Matcher matcher = CLEAR.matcher(scalar.getValue());
          if (matcher.matches()) {
            found.add(new Replacement(position(text, scalar.getStartMark().orElseThrow().getIndex()),
                position(text, scalar.getEndMark().orElseThrow().getIndex()),
                '"' + replacement(matcher.group(1), matcher.group(2)) + '"'));
          }
        }
      }
    } catch (YamlEngineException e) {
      throw new ConfigurationException("not valid YAML: " + e.getMessage());
    }
    return found;
  }

  private static boolean isBlock(ScalarEvent scalar) {
    return scalar.getScalarStyle() == ScalarStyle.LITERAL
        || scalar.getScalarStyle() == ScalarStyle.FOLDED;
  }

  /** The parser counts code points. */
  private static int position(String text, int codePoints) {
    return text.offsetByCodePoints(0, codePoints);
  }

  private static String replacement(String macro, String clear) {
    if (macro.equals("hash")) {
      return Cipher.hash(clear);
    }
    byte[] secret = Cipher.encrypt(clear);
    if (writesBase64) {
      return "${decrypt:" + Base64.getEncoder().encodeToString(secret) + "}";
    }
    var escaped = new StringBuilder("${decrypt:");
    for (byte b : secret) {
      escaped.append(String.format("\\u%04x", b & 0xff));
    }
    return escaped.append('}').toString();
  }

  /** YAML has already resolved escapes in a double-quoted scalar, but not in others. */
  private static byte[] bytes(String secret) {
    if (BASE64.matcher(secret).matches()) {
      return Base64.getDecoder().decode(secret);
    }
    String plain = ESCAPE.matcher(secret)
        .replaceAll(match -> Matcher.quoteReplacement(Character.toString(Integer.parseInt(match.group(1), 16))));
    byte[] bytes = new byte[plain.length()];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) plain.charAt(i);
    }
    return bytes;
  }
}
